//! Reauthentication for sensitive operations.

use insula_tests::{Client, PASSWORD, Server};
use serde_json::json;

const REAUTHENTICATE: &str = "/api/v1/auth/reauthenticate";

async fn ada() -> (Server, Client) {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    (server, ada)
}

#[tokio::test]
async fn a_wrong_password_proves_nothing_and_ends_nothing() {
    let (_server, ada) = ada().await;
    let reply = ada.post(REAUTHENTICATE, json!({ "password": "wrong" })).await;
    reply.problem(422, "PASSWORD_MISMATCH");
    assert_eq!(reply.faults(), ["password WRONG"]);
    ada.get("/api/v1/users/me").await.expect(200);
}

#[tokio::test]
async fn reauthentication_makes_the_login_recent_and_is_recorded() {
    let (server, ada) = ada().await;
    let database = server.database().await;
    database.execute("UPDATE sessions SET auth_time = '2026-01-01T00:00:00Z'").await;
    ada.post(REAUTHENTICATE, json!({ "password": PASSWORD })).await.expect(204);
    let old = "SELECT count(*) FROM sessions WHERE auth_time < '2026-01-02T00:00:00Z'";
    assert_eq!(database.scalar(old).await, 0);
    let events = "SELECT count(*) FROM audit_events WHERE action = 'session.reauthenticated'";
    assert_eq!(database.scalar(events).await, 1);
}

#[tokio::test]
async fn reauthentication_needs_a_session() {
    let (server, ada) = ada().await;
    server
        .client()
        .post(REAUTHENTICATE, json!({ "password": PASSWORD }))
        .await
        .problem(401, "UNAUTHENTICATED");
    ada.request("POST", "/api/v1/auth/logout").await.expect(204);
    ada.post(REAUTHENTICATE, json!({ "password": PASSWORD })).await.problem(401, "INVALID_TOKEN");
}
