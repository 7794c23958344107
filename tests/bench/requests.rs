//! Requests per second, latency and CPU time of common requests, with many organizations in the database.

use std::time::Duration;

use insula_tests::{ClusterConfig, DatabaseKind, TestRng, console, services, stats::median};
use serde_json::{Value, json};

use crate::{
    setup::{self, Setup},
    wrk::{self, Load},
};

/// Rounds of each kind of request, in random order.
const ROUNDS: usize = 3;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// Organizations and time entries in the database.
    organizations: u32,
    entries: u32,
    /// Seconds of one round.
    seconds: u32,
}

impl Scale {
    /// A few minutes.
    pub(crate) const FULL: Self = Self { organizations: 1000, entries: 1_000_000, seconds: 4 };
    /// Less than three minutes.
    pub(crate) const QUICK: Self = Self { organizations: 100, entries: 20_000, seconds: 1 };
}

/// Connections of wrk.
const CONNECTIONS: u32 = 32;

/// Organizations of the writes that do not share one.
const MANY: usize = 50;

/// What is measured: the name, and the script of wrk.
type Work = (&'static str, String);

/// The load of one round, and the microseconds of CPU time per request of the server and of the database.
type RoundResult = (Load, [f64; 2]);

/// Measures them on PostgreSQL, then on SQLite.
pub(crate) async fn measure(rng: &mut TestRng, scale: Scale) -> Result<(), String> {
    // Before the database is filled.
    services::wrk()?;
    let postgres = ClusterConfig { has_redis: true, ..setup::embedded(DatabaseKind::Postgres) };
    for (name, config) in [("PostgreSQL, Redis", postgres), ("SQLite", setup::embedded(DatabaseKind::Sqlite))]
    {
        let (organizations, entries) = (scale.organizations, scale.entries);
        console::title(&format!("{name}: {entries} time entries in {organizations} organizations"));
        let mut setup = Setup::start(name, config).await?;
        let works = prepare(&mut setup, scale).await?;
        let idle = setup.cluster.api.lock().await.memory().unwrap_or_default();
        let mut results: Vec<_> = works.iter().map(|_| Vec::new()).collect();
        for number in 0..=ROUNDS {
            let mut order: Vec<_> = works.iter().zip(&mut results).collect();
            rng.shuffle(&mut order);
            for (work, results) in order {
                console::progress(&format!("{name}, round {number} of {ROUNDS}: {}", work.0));
                let seconds = if number == 0 { 1 } else { scale.seconds };
                let result = round(&setup, work, seconds).await?;
                // The first round fills the caches.
                if number > 0 {
                    results.push(result);
                }
            }
        }
        let rows: Vec<_> = works.iter().zip(&results).map(|(work, results)| row(work, results)).collect();
        let head = ["requests per second", "rate", "p50 ms", "p99 ms", "p99.9 ms", "errors"];
        let cpu = ["server µs", "database µs"];
        console::table(&[&head[..], &cpu].concat(), &rows);
        let loaded = setup.cluster.api.lock().await.memory().unwrap_or_default();
        console::line(&format!(
            "memory of the server: {} MiB idle, {} MiB afterwards",
            idle >> 20,
            loaded >> 20
        ));
    }
    Ok(())
}

async fn round(setup: &Setup, work: &Work, seconds: u32) -> Result<RoundResult, String> {
    let before = cpu(setup).await;
    let folder = setup.cluster.env().folder();
    let load = wrk::run(folder, &setup.cluster.url, &work.1, CONNECTIONS, seconds).await?;
    let after = cpu(setup).await;
    let per_request = |index: usize| 1000.0 * (after[index] - before[index]) / load.requests.max(1.0);
    Ok((load, [per_request(0), per_request(1)]))
}

/// The milliseconds of CPU time so far of the server and of the database.
async fn cpu(setup: &Setup) -> [f64; 2] {
    let server = setup.cluster.api.lock().await.cpu_milliseconds();
    let database = match &setup.cluster.servers {
        Some(servers) => servers.postgres.lock().await.cpu_milliseconds(),
        None => 0,
    };
    #[expect(clippy::cast_precision_loss, reason = "of milliseconds")]
    [server as f64, database as f64]
}

fn row((name, _): &Work, results: &[RoundResult]) -> Vec<String> {
    let of = |number: fn(&RoundResult) -> f64| median(&results.iter().map(number).collect::<Vec<_>>());
    let errors: f64 = results.iter().map(|(load, _)| load.errors).sum();
    vec![
        (*name).to_owned(),
        format!("{:.0}", of(|(load, _)| load.rate)),
        format!("{:.1}", of(|(load, _)| load.latency[0])),
        format!("{:.1}", of(|(load, _)| load.latency[1])),
        format!("{:.1}", of(|(load, _)| load.latency[2])),
        format!("{errors:.0}"),
        format!("{:.0}", of(|(_, cpu)| cpu[0])),
        format!("{:.0}", of(|(_, cpu)| cpu[1])),
    ]
}

/// Fills the database and returns what to measure.
async fn prepare(setup: &mut Setup, scale: Scale) -> Result<Vec<Work>, String> {
    console::progress("filling the database");
    let token = setup.log_in().await?;
    let (organizations, entries) = (scale.organizations.to_string(), scale.entries.to_string());
    let filled = setup
        .cluster
        .env()
        .insula(&["seed", "load", "--organizations", &organizations, "--entries", &entries], &[]);
    if !filled.status.success() {
        return Err(String::from_utf8_lossy(&filled.stderr).into_owned());
    }
    for number in 0..=MANY {
        let slug = format!("bench-{number}");
        setup.post("/organizations", json!({ "slug": slug, "name": slug })).await?;
    }
    let acme = "/organizations/bench-0";
    let (mut tags, mut projects) = (Vec::new(), Vec::new());
    for number in 0..5 {
        let tag = setup.post(&format!("{acme}/tags"), json!({ "name": format!("tag-{number}") })).await?;
        tags.push(tag["id"].clone());
    }
    for number in 0..100 {
        let project = json!({ "code": format!("P{number}"), "name": format!("Project {number}") });
        projects.push(setup.post(&format!("{acme}/projects"), project).await?["id"].clone());
    }
    for number in 0..100 {
        let task = json!({ "title": format!("Task {number}"), "project_id": projects[0], "tags": tags[..2] });
        setup.post(&format!("{acme}/tasks"), task).await?;
        let (day, hour) = (number % 28 + 1, 8 + number / 28);
        let entry = json!({
            "started_at": format!("2026-03-{day:02}T{hour:02}:00:00Z"),
            "ended_at": format!("2026-03-{day:02}T{hour:02}:30:00Z"),
            "project_id": projects[0],
            "tags": tags[..2],
        });
        setup.post(&format!("{acme}/time-entries"), entry).await?;
    }
    setup.database.execute("ANALYZE").await;
    // The job queue is empty, and the background work has ended.
    setup.cluster.drain().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let deep = setup.get(&format!("{acme}/projects?limit=60")).await?;
    let cursor = deep["next_cursor"].as_str().ok_or("a page without a next one")?;
    Ok(works(&token, cursor, &projects[1]))
}

/// All kinds of requests.
fn works(token: &str, cursor: &str, project: &Value) -> Vec<Work> {
    let headers = format!(
        "wrk.headers['authorization'] = 'Bearer {token}'\nwrk.headers['content-type'] = 'application/json'\n"
    );
    let get = |path: &str| format!("{headers}wrk.path = '/api/v1{path}'\n");
    let acme = "/organizations/bench-0";
    // Every request has another number, also in the next round.
    let post = |org: &str, list: &str, more: &str, body: &str| {
        format!(
            "{headers}math.randomseed(os.time())\nlocal n = math.random(1, 1e9) * 1000\nrequest = function()\n\
             n = n + 1\n{more}return wrk.format('POST', '/api/v1/organizations/bench-' .. {org} .. '/{list}', nil, \
             string.format('{body}', n))\nend\n"
        )
    };
    let (one, many) = ("0".to_owned(), format!("(n % {MANY} + 1)"));
    let key = "wrk.headers['idempotency-key'] = string.format('key-%d', n)\n";
    let task = r#"{"title":"Task %d"}"#;
    let in_project = format!(r#"{{"title":"Task %d","project_id":{project}}}"#);
    let new_project = r#"{"code":"C%d","name":"Project"}"#;
    vec![
        ("health", "wrk.path = '/livez'\n".to_owned()),
        ("who am I", get("/users/me")),
        ("my permissions", get(&format!("{acme}/me/permissions"))),
        ("my organizations", get("/users/me/organizations?limit=20")),
        ("20 projects", get(&format!("{acme}/projects?limit=20"))),
        ("20 projects, deep page", get(&format!("{acme}/projects?limit=20&cursor={cursor}"))),
        ("20 tasks with tags", get(&format!("{acme}/tasks?limit=20"))),
        ("20 time entries with tags", get(&format!("{acme}/time-entries?limit=20"))),
        ("20 audit events", get(&format!("{acme}/audit-events?limit=20"))),
        ("new project, one organization", post(&one, "projects", "", new_project)),
        ("new project, many", post(&many, "projects", "", new_project)),
        ("new task, one organization", post(&one, "tasks", "", &in_project)),
        ("new task, many", post(&many, "tasks", "", task)),
        ("new task, idempotency key", post(&many, "tasks", key, task)),
    ]
}
