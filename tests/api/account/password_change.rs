//! `PUT /users/me/password`.

use insula_tests::{Client, PASSWORD, Reply, Server, concurrently};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/users/me/password";
const ME: &str = "/api/v1/users/me";
const NEW: &str = "Copper-harbour-92-violin";

async fn change(client: &Client, current: &str, new: &str) -> Reply {
    client.put(PATH, json!({ "current_password": current, "password": new })).await
}

async fn log_in(server: &Server, password: &str) -> Reply {
    server
        .client()
        .post("/api/v1/auth/login", json!({ "email": "ada@example.com", "password": password }))
        .await
}

#[tokio::test]
async fn the_new_password_holds_here_and_nowhere_else() {
    let server = Server::start().await;
    let phone = server.client().register("ada@example.com").await;
    let laptop = server.client().log_in("ada@example.com", PASSWORD).await;
    let eve = server.client().register("eve@example.com").await;
    change(&phone, PASSWORD, NEW).await.expect(200);

    phone.get(ME).await.expect(200);
    eve.get(ME).await.expect(200);
    laptop.get(ME).await.problem(401, "INVALID_TOKEN");
    log_in(&server, PASSWORD).await.problem(401, "INVALID_CREDENTIALS");
    log_in(&server, NEW).await.expect(200);

    let database = server.database().await;
    let user = phone.get(ME).await.expect(200)["id"].clone();
    let mails = database.texts("SELECT payload FROM outbox WHERE kind = 'send_password_changed'").await;
    assert_eq!(mails, [json!({ "user": user }).to_string()]);
    let events = "SELECT details FROM audit_events WHERE action = 'user.password_changed'";
    assert_eq!(database.texts(events).await, [json!({ "after": { "kind": "password" } }).to_string()]);
    assert_eq!(database.scalar("SELECT count(*) FROM credentials").await, 2);
}

#[tokio::test]
async fn a_change_needs_the_current_password() {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    let other = server.client().log_in("ada@example.com", PASSWORD).await;
    let reply = change(&ada, "wrong", NEW).await;
    let problem = reply.problem(422, "PASSWORD_MISMATCH");
    assert_eq!(problem["errors"][0]["field"], "current_password");
    log_in(&server, PASSWORD).await.expect(200);
    other.get(ME).await.expect(200);
    assert_eq!(
        server.database().await.scalar("SELECT count(*) FROM outbox WHERE kind <> 'send_welcome'").await,
        0
    );
}

#[tokio::test]
async fn a_weak_password_is_refused() {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    for (weak, fault) in [("password123", "password TOO_COMMON"), ("ada@example.com", "password TOO_SIMILAR")]
    {
        let reply = change(&ada, PASSWORD, weak).await;
        reply.problem(422, "WEAK_PASSWORD");
        assert_eq!(reply.faults(), [fault]);
    }
    log_in(&server, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_current_password_suffices_for_an_old_login() {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    server.database().await.execute("UPDATE sessions SET auth_time = '2026-01-01T00:00:00Z'").await;
    change(&ada, "wrong", NEW).await.problem(422, "PASSWORD_MISMATCH");
    change(&ada, PASSWORD, NEW).await.expect(200);
    log_in(&server, NEW).await.expect(200);
    // It proves nothing of what is asked for later.
    ada.delete(ME).await.problem(403, "REAUTH_REQUIRED");
    ada.post("/api/v1/auth/reauthenticate", json!({ "password": NEW })).await.expect(204);
    assert_ne!(ada.get(ME).await.expect(200)["id"], Value::Null);
}

#[tokio::test]
async fn a_concurrent_login_with_the_old_password_creates_no_session() {
    let server = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60").start().await;
    let phone = server.client().register("ada@example.com").await;
    let anybody = server.client();
    // Passwords are verified one after the other: the change comes in between.
    let log_ins = concurrently(12, |_| {
        let anybody = anybody.clone();
        async move {
            let who = json!({ "email": "ada@example.com", "password": PASSWORD });
            anybody.post("/api/v1/auth/login", who).await
        }
    });
    let (log_ins, changed) = tokio::join!(log_ins, async { change(&phone, PASSWORD, NEW).await });
    changed.expect(200);
    let mut signed_in = 0;
    for reply in log_ins {
        if reply.status == 200 {
            signed_in += 1;
            let token = reply.json()["access_token"].as_str().unwrap().to_owned();
            anybody.bearer(&token).get(ME).await.problem(401, "INVALID_TOKEN");
        }
    }
    let living = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL";
    assert_eq!(server.database().await.scalar(living).await, 1, "{signed_in} were in before the change");
}

#[tokio::test]
async fn of_two_changes_at_once_one_wins() {
    let server = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60").start().await;
    let ada = server.client().register("ada@example.com").await;
    let changes = concurrently(4, |number| {
        let ada = ada.clone();
        async move { change(&ada, PASSWORD, &format!("{NEW}-{number}")).await.status }
    });
    let mut answers = changes.await;
    answers.sort_unstable();
    assert_eq!(answers, [200, 422, 422, 422]);
}
