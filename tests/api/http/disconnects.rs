//! Clients that disconnect during a request.

use std::{sync::Arc, time::Duration};

use insula_tests::{Client, Server, TestDatabase, TestRng, concurrently};
use serde_json::json;
use tokio::{io::AsyncWriteExt, time::sleep};

const PROJECTS: &str = "/api/v1/organizations/acme/projects";

/// How many hang up one after the other, and how many at the same time.
const ROUNDS: usize = 60;
const LANES: usize = 16;

/// Sends requests and hangs up after a moment of chance: before, while and after the database is asked.
async fn hangs_up(server: &Server, token: &str, seed: usize) {
    let mut rng = TestRng::new(seed as u64);
    for round in 0..ROUNDS {
        let body = json!({ "code": format!("P{seed}-{round}"), "name": "Engine" }).to_string();
        let request = match rng.below(3) {
            0 => format!("GET {PROJECTS} HTTP/1.1\r\nhost: insula\r\nauthorization: Bearer {token}\r\n\r\n"),
            _ => format!(
                "POST {PROJECTS} HTTP/1.1\r\nhost: insula\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        };
        let mut connection = server.connect().await;
        connection.write_all(request.as_bytes()).await.unwrap();
        sleep(Duration::from_micros(rng.below(12_000))).await;
    }
}

/// Watches for connections of PostgreSQL that stand in a transaction for more than a second.
async fn stand_in_a_transaction(database: &TestDatabase) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'insula' \
               AND datname = current_database() AND state LIKE 'idle in transaction%' \
               AND state_change < clock_timestamp() - interval '1 second'";
    let mut most = 0;
    for _ in 0..25 {
        most = most.max(database.scalar(sql).await);
        sleep(Duration::from_millis(100)).await;
    }
    most
}

async fn is_served(ada: &Client, who: usize) {
    for n in 0..8 {
        ada.get(PROJECTS).await.expect(200);
        let project = json!({ "code": format!("Q{who}-{n}"), "name": "Engine" });
        ada.post(PROJECTS, project).await.expect(201);
    }
}

#[tokio::test]
async fn a_disconnect_leaves_nothing_incomplete() {
    let server = Arc::new(
        Server::builder()
            .env("INSULA_MAX_REQUESTS", "4096")
            .env("INSULA_MAX_CONNECTIONS_PER_PEER", "4096")
            .start()
            .await,
    );
    let database = server.database().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    let token = ada.token().to_owned();
    concurrently(LANES, |seed| {
        let (server, token) = (Arc::clone(&server), token.clone());
        async move { hangs_up(&server, &token, seed).await }
    })
    .await;
    // Every request after them is answered, whichever connection it is given.
    concurrently(LANES, |who| {
        let ada = ada.clone();
        async move { is_served(&ada, who).await }
    })
    .await;
    if let TestDatabase::Postgres(_) = database {
        assert_eq!(stand_in_a_transaction(&database).await, 0);
    }
    is_served(&ada, LANES).await;
    // Of each change all or nothing is there.
    let made = database.scalar("SELECT count(*) FROM projects").await;
    let events = "SELECT count(*) FROM audit_events WHERE action = 'project.created'";
    assert_eq!(made, database.scalar(events).await);
    assert!(made >= 17 * 8);
}
