//! Requests of one organization must cost the same with few and with very many rows of other organizations. Two servers with
//! the same organization on separate databases are measured in turns.

use std::time::{Duration, Instant};

use insula_tests::{Client, Server, TestDatabase, TestEnv, console, stats};
use serde_json::json;

const ACME: &str = "/api/v1/organizations/acme";

/// Time entries of the measured organization.
const OWN: usize = 20_000;

/// Number of requests of each kind to each server.
const TIMES: usize = 150;

/// Limit of the ratio of durations.
const RATIO: f64 = 1.3;

/// Starts a server with the organization and `foreign` rows of others.
struct Beside {
    server: Server,
    ada: Client,
    database: TestDatabase,
    deep: String,
}

impl Beside {
    async fn start(organizations: usize, foreign: usize) -> Self {
        let from = Instant::now();
        let env = TestEnv::new().await;
        let (organizations, entries) = (organizations.to_string(), foreign.to_string());
        let load = ["seed", "load", "--organizations", &organizations, "--entries", &entries];
        let output = env.insula(&load, &[]);
        assert!(output.status.success(), "seed load: {}", String::from_utf8_lossy(&output.stderr));
        let unlimited = [("INSULA_LIMIT_READ", "1000000/min"), ("INSULA_LIMIT_ADDRESS", "1000000/min")];
        let builder = unlimited
            .into_iter()
            .fold(Server::builder().test_env(&env), |server, (key, value)| server.env(key, value));
        let server = builder.start().await;
        let ada = server.client().register("ada@example.com").await;
        ada.create_organization("acme").await;
        let project = json!({ "code": "ENGINE", "name": "Engine" });
        let project = ada.post(&format!("{ACME}/projects"), project).await.expect(201);
        let project = project["id"].as_str().expect("an id").to_owned();
        let database = server.database().await;
        let member = database.member_id("acme", "ada@example.com").await;
        database.insert_many_time_entries("acme", (&member, &project), OWN).await;
        database.execute("ANALYZE").await;
        let deep = deep(&ada).await;
        console::line(&format!("  beside {foreign} rows of others: ready in {} s", from.elapsed().as_secs()));
        Self { server, ada, database, deep }
    }

    /// The measured requests.
    fn requests(&self) -> [(&'static str, String); 5] {
        [
            ("the first page", format!("{ACME}/time-entries?limit=100")),
            ("a deep page", self.deep.clone()),
            (
                "a window",
                format!(
                    "{ACME}/time-entries?limit=100&sort=started_at&from=2020-02-01T00:00:00Z&to=2020-02-08T00:00:00Z"
                ),
            ),
            (
                "a report of a month",
                format!(
                    "{ACME}/reports/summary?from=2020-02-01T00:00:00Z&to=2020-03-01T00:00:00Z&group_by=day,project&timezone=Europe/Berlin"
                ),
            ),
            ("the projects", format!("{ACME}/projects?limit=100")),
        ]
    }

    async fn ask(&self, path: &str) -> Duration {
        let from = Instant::now();
        self.ada.get(path).await.expect(200);
        from.elapsed()
    }

    /// The number of sequential scans of the time entries; `None` when the database does not count them.
    async fn scans(&self) -> Option<i64> {
        let TestDatabase::Postgres(_) = self.database else { return None };
        let counted = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'time_entries'";
        Some(self.database.scalar(counted).await)
    }
}

/// The path of the hundredth page.
async fn deep(ada: &Client) -> String {
    let mut path = format!("{ACME}/time-entries?limit=100");
    for _ in 0..100 {
        let page = ada.get(&path).await.expect(200);
        let cursor = page["next_cursor"].as_str().expect("another page").to_owned();
        path = format!("{ACME}/time-entries?limit=100&cursor={cursor}");
    }
    path
}

/// Compares both servers; returns the faults.
pub(crate) async fn run(rows: usize) -> Vec<String> {
    console::title(&format!(
        "An organization of {OWN} time entries, beside 1000 and beside {rows} of others"
    ));
    let few = Beside::start(10, 1_000).await;
    let many = Beside::start(1_000, rows).await;
    let (mut faults, mut table) = (Vec::new(), Vec::new());
    let before = many.scans().await;
    for ((what, of_few), (_, of_many)) in few.requests().into_iter().zip(many.requests()) {
        let (mut little, mut much) = (Vec::new(), Vec::new());
        for turn in 0..TIMES {
            console::progress(&format!("{what}: {turn} of {TIMES}"));
            // The order alternates.
            if turn % 2 == 0 {
                little.push(few.ask(&of_few).await);
                much.push(many.ask(&of_many).await);
            } else {
                much.push(many.ask(&of_many).await);
                little.push(few.ask(&of_few).await);
            }
        }
        let (little, much) = (stats::quantile(&little, 0.5), stats::quantile(&much, 0.5));
        let ratio = much.as_secs_f64() / little.as_secs_f64();
        if ratio > RATIO {
            faults.push(format!("{what} costs {ratio:.2} times as much beside {rows} rows, and may {RATIO}"));
        }
        let ratio = format!("{ratio:.2} <= {RATIO}");
        table.push(vec![what.to_owned(), stats::milliseconds(little), stats::milliseconds(much), ratio]);
    }
    console::table(&["median of a request, ms", "beside few", "beside many", "ratio"], &table);
    // PostgreSQL updates its counters when the connections are idle.
    tokio::time::sleep(Duration::from_secs(2)).await;
    if let Some((before, after)) = before.zip(many.scans().await) {
        console::line(&format!("  time_entries was read from end to end {} times", after - before));
        if after != before {
            faults.push(format!("time_entries was read from end to end {} times", after - before));
        }
    }
    for beside in [few, many] {
        drop(beside.server.terminate().await);
    }
    faults
}
