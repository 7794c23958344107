//! Reauthentication for sensitive operations.

use insula_tests::{Client, PASSWORD, Server, SharedServer};
use serde_json::json;

const REAUTHENTICATE: &str = "/api/v1/auth/reauthenticate";

async fn ada() -> (SharedServer, Client) {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
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
    let (database, own) = (server.database().await, server.own_users());
    database.backdate_logins(&own).await;
    ada.post(REAUTHENTICATE, json!({ "password": PASSWORD })).await.expect(204);
    let old = "SELECT count(*) FROM sessions WHERE auth_time < '2026-01-02T00:00:00Z' AND user_id IN";
    assert_eq!(database.scalar(&format!("{old} {own}")).await, 0);
    let events = "SELECT count(*) FROM audit_events WHERE action = 'session.reauthenticated' AND actor_id IN";
    assert_eq!(database.scalar(&format!("{events} {own}")).await, 1);
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
