//! Failures of the database: clients get 503 with `Retry-After`, operators the reason, and no restart is needed afterwards.

use std::time::{Duration, Instant};

use insula_tests::{Client, Reply, Server, TcpProxy, TestDatabase, TestEnv, concurrently, eventually};
use serde_json::json;
use tokio::time::{sleep, timeout};

const PROJECTS: &str = "/api/v1/organizations/acme/projects";

/// Longest that a client waits for an answer.
const SECONDS: Duration = Duration::from_secs(10);

struct Place {
    server: Server,
    ada: Client,
    database: TestDatabase,
    made: u32,
}

impl Place {
    async fn of(server: Server) -> Self {
        let ada = server.client().register("ada@example.com").await;
        ada.create_organization("acme").await;
        let database = server.database().await;
        Self { server, ada, database, made: 0 }
    }

    async fn writes(&mut self) -> Reply {
        self.made += 1;
        self.ada.post(PROJECTS, json!({ "code": format!("P{}", self.made), "name": "Engine" })).await
    }

    /// A write as most clients send it: it may be repeated.
    async fn writes_once(&mut self) -> Reply {
        self.made += 1;
        let project = json!({ "code": format!("P{}", self.made), "name": "Engine" });
        self.ada.post(PROJECTS, project).header("idempotency-key", &format!("key-{}", self.made)).await
    }

    /// What the probe says, on both ports alike.
    async fn reason(&self) -> Option<String> {
        let reply = self.server.client().get("/readyz").await;
        if reply.status == 200 {
            return None;
        }
        let problem = reply.problem(503, "UNAVAILABLE");
        let reason = problem["reason"].as_str().map(str::to_owned);
        let expected = self.server.ops_client().await.get("/readyz").await;
        if expected.status == 503 {
            assert_eq!(expected.json()["reason"].as_str(), reason.as_deref());
        }
        reason
    }

    /// Until it is over: a change is stored, and the probe says so too.
    async fn recovers(&mut self) {
        let since = Instant::now();
        eventually("the database stores again", async || self.writes().await.status == 201).await;
        eventually("the server is ready", async || self.reason().await.is_none()).await;
        assert!(since.elapsed() < SECONDS, "{:?}", since.elapsed());
        // Each connection is used again: none of before is left.
        sleep(Duration::from_secs(2)).await;
        for _ in 0..40 {
            self.writes().await.expect(201);
            self.ada.get(PROJECTS).await.expect(200);
        }
    }
}

#[track_caller]
fn is_put_off(reply: &Reply, code: &str) {
    reply.problem(503, code);
    let wait: u32 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
}

/// A PostgreSQL database; `None` where the suite runs on SQLite.
async fn on_postgres() -> Option<Place> {
    let env = TestEnv::new().await;
    if !env.is_postgres() {
        return None;
    }
    Some(
        Place::of(Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "2").test_env(&env).start().await)
            .await,
    )
}

/// As the end of a server does: every connection of the program is ended.
async fn end_connections(database: &TestDatabase) {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'insula'";
    database.scalar(sql).await;
    sleep(Duration::from_millis(100)).await;
}

async fn alter(database: &TestDatabase, change: &str) {
    let name = database.text("SELECT current_database()::text").await;
    database.execute(&format!("ALTER DATABASE {name} {change}")).await;
}

#[tokio::test]
async fn a_full_disk_is_survived_without_a_restart() {
    let env = TestEnv::on_sqlite();
    let mut place =
        Place::of(Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "2").test_env(&env).start().await)
            .await;
    for _ in 0..2 {
        place.writes().await.expect(201);
        place.server.limit_files(Some(4096));
        for _ in 0..5 {
            is_put_off(&place.writes().await, "STORAGE_UNAVAILABLE");
            is_put_off(&place.writes_once().await, "STORAGE_UNAVAILABLE");
            place.ada.get(PROJECTS).await.expect(200);
        }
        for _ in 0..15 {
            assert_eq!(place.reason().await.as_deref(), Some("the database cannot use its disk"));
            sleep(Duration::from_millis(100)).await;
        }
        place.server.limit_files(None);
        // Nobody has to write for it to be ready again: balancers send nothing before.
        eventually("the server is ready", async || place.reason().await.is_none()).await;
        place.recovers().await;
    }
    let made = place.database.scalar("SELECT count(*) FROM projects").await;
    let expected = "SELECT count(*) FROM audit_events WHERE action = 'project.created'";
    assert_eq!(made, place.database.scalar(expected).await);
}

#[tokio::test]
async fn a_server_that_became_read_only_is_waited_for() {
    let Some(mut place) = on_postgres().await else { return };
    alter(&place.database, "SET default_transaction_read_only = on").await;
    end_connections(&place.database).await;
    for _ in 0..5 {
        is_put_off(&place.writes().await, "STORAGE_UNAVAILABLE");
        is_put_off(&place.writes_once().await, "STORAGE_UNAVAILABLE");
        place.ada.get(PROJECTS).await.expect(200);
    }
    assert_eq!(place.reason().await.as_deref(), Some("the database is read-only"));
    // The database's own connection was there before, and may write.
    alter(&place.database, "RESET default_transaction_read_only").await;
    place.recovers().await;
}

#[tokio::test]
async fn connections_that_are_ended_are_replaced() {
    let Some(mut place) = on_postgres().await else { return };
    for _ in 0..5 {
        place.writes().await.expect(201);
        end_connections(&place.database).await;
        place.writes_once().await.expect(201);
        end_connections(&place.database).await;
        place.ada.get(PROJECTS).await.expect(200);
    }
}

#[tokio::test]
async fn a_server_without_a_free_connection_is_waited_for() {
    let Some(mut place) = on_postgres().await else { return };
    alter(&place.database, "CONNECTION LIMIT 0").await;
    end_connections(&place.database).await;
    is_put_off(&place.writes().await, "UNAVAILABLE");
    is_put_off(&place.ada.get(PROJECTS).await, "UNAVAILABLE");
    assert_eq!(place.reason().await.as_deref(), Some("the database does not respond"));
    alter(&place.database, "CONNECTION LIMIT -1").await;
    place.recovers().await;
}

/// What reaches its PostgreSQL through a relay; `None` where the suite runs on SQLite.
async fn behind_a_relay() -> Option<(TcpProxy, Place)> {
    let env = TestEnv::new().await;
    if !env.is_postgres() {
        return None;
    }
    let (head, tail) = env.database_url().rsplit_once('@').unwrap();
    let (address, name) = tail.split_once('/').unwrap();
    let proxy = TcpProxy::to(address).await;
    let url = format!("{head}@{}/{name}", proxy.address());
    let server = Server::builder()
        .env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "2")
        .test_env(&env)
        .database_url(&url)
        .start()
        .await;
    Some((proxy, Place::of(server).await))
}

#[tokio::test]
async fn a_server_that_hangs_is_waited_for() {
    let Some((proxy, mut place)) = behind_a_relay().await else { return };
    for _ in 0..2 {
        proxy.stop();
        for _ in 0..3 {
            let since = Instant::now();
            is_put_off(&place.writes_once().await, "UNAVAILABLE");
            is_put_off(&place.ada.get(PROJECTS).await, "UNAVAILABLE");
            assert!(since.elapsed() < SECONDS * 2, "{:?}", since.elapsed());
        }
        assert_eq!(place.reason().await.as_deref(), Some("the database does not respond"));
        proxy.restore();
        place.recovers().await;
    }
}

/// Of so many at the same time some wait for an answer to BEGIN, to a statement and to COMMIT.
#[tokio::test]
async fn a_request_in_progress_is_answered_when_the_server_hangs() {
    const LANES: usize = 12;
    let Some((proxy, mut place)) = behind_a_relay().await else { return };
    let ada = place.ada.clone();
    let work = concurrently(LANES, move |lane| {
        let ada = ada.clone();
        async move {
            for n in 0.. {
                let project = json!({ "code": format!("L{lane}-{n}"), "name": "Engine" });
                let reply = timeout(SECONDS, ada.post(PROJECTS, project).into_future()).await;
                let reply = reply.expect("an answer within seconds");
                if reply.status != 201 {
                    return is_put_off(&reply, "UNAVAILABLE");
                }
            }
        }
    });
    let hang = async {
        sleep(Duration::from_millis(500)).await;
        proxy.stop();
    };
    tokio::join!(work, hang);
    proxy.restore();
    place.recovers().await;
}

/// Raised by a trigger, so that the program meets each.
const TRANSIENT: &[&str] = &[
    "08006", "08P01", "25P04", "40001", "40P01", "53000", "53200", "53300", "53400", "55006", "55P03",
    "57014", "57P01", "57P02", "57P03", "57P05", "72000",
];
const UNSTORED: &[&str] = &["25006", "53100", "58000", "58030", "58P01"];

#[tokio::test]
async fn what_postgresql_says_of_itself_is_no_fault_of_the_program() {
    let Some(mut place) = on_postgres().await else { return };
    let raises = |code: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '{code}'; END $$"
        )
    };
    place.database.execute(&raises("40001")).await;
    place.database.execute("CREATE TRIGGER raises BEFORE INSERT ON projects EXECUTE FUNCTION raises()").await;
    for (codes, expected) in [(TRANSIENT, "UNAVAILABLE"), (UNSTORED, "STORAGE_UNAVAILABLE")] {
        for code in codes {
            place.database.execute(&raises(code)).await;
            is_put_off(&place.writes().await, expected);
        }
    }
    assert!(place.reason().await.is_some());
    place.database.execute("DROP TRIGGER raises ON projects").await;
    place.recovers().await;
}
