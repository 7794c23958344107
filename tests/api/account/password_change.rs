//! `PUT /users/me/password`.

use insula_tests::{Client, PASSWORD, Reply, Server, SharedServer, concurrently};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/users/me/password";
const ME: &str = "/api/v1/users/me";
const NEW: &str = "Copper-harbour-92-violin";

async fn change(client: &Client, current: &str, new: &str) -> Reply {
    client.put(PATH, json!({ "current_password": current, "password": new })).await
}

async fn log_in(server: &SharedServer, password: &str) -> Reply {
    server
        .client()
        .post("/api/v1/auth/login", json!({ "email": server.email("ada"), "password": password }))
        .await
}

#[tokio::test]
async fn the_new_password_holds_here_and_nowhere_else() {
    let server = Server::shared().await;
    let phone = server.register("ada").await;
    let laptop = server.client().log_in(&server.email("ada"), PASSWORD).await;
    let eve = server.register("eve").await;
    change(&phone, PASSWORD, NEW).await.expect(200);

    phone.get(ME).await.expect(200);
    eve.get(ME).await.expect(200);
    laptop.get(ME).await.problem(401, "INVALID_TOKEN");
    log_in(&server, PASSWORD).await.problem(401, "INVALID_CREDENTIALS");
    log_in(&server, NEW).await.expect(200);

    let database = server.database().await;
    let user = phone.get(ME).await.expect(200)["id"].clone();
    let mails = format!(
        "SELECT payload FROM outbox WHERE kind = 'send_password_changed' AND payload LIKE '%{}%'",
        user.as_str().unwrap()
    );
    assert_eq!(database.texts(&mails).await, [json!({ "user": user }).to_string()]);
    let own = server.own_users();
    let events = format!(
        "SELECT details FROM audit_events WHERE action = 'user.password_changed' AND actor_id IN {own}"
    );
    assert_eq!(database.texts(&events).await, [json!({ "after": { "kind": "password" } }).to_string()]);
    let credentials = format!("SELECT count(*) FROM credentials WHERE user_id IN {own}");
    assert_eq!(database.scalar(&credentials).await, 2);
}

#[tokio::test]
async fn a_change_needs_the_current_password() {
    let server = SharedServer::from(Server::start().await);
    let ada = server.register("ada").await;
    let other = server.client().log_in(&server.email("ada"), PASSWORD).await;
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
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    let email = &*server.email("ada");
    for (weak, fault) in [("password123", "password TOO_COMMON"), (email, "password TOO_SIMILAR")] {
        let reply = change(&ada, PASSWORD, weak).await;
        reply.problem(422, "WEAK_PASSWORD");
        assert_eq!(reply.faults(), [fault]);
    }
    log_in(&server, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_current_password_suffices_for_an_old_login() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    server.database().await.backdate_logins(&server.own_users()).await;
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
    let server = Server::shared().await;
    let phone = server.register("ada").await;
    let anybody = server.client();
    // Passwords are verified one after the other: the change comes in between.
    let log_ins = concurrently(12, |_| {
        let who = json!({ "email": server.email("ada"), "password": PASSWORD });
        let request = anybody.post("/api/v1/auth/login", who);
        async move { request.await }
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
    let living = format!(
        "SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND user_id IN {}",
        server.own_users()
    );
    assert_eq!(server.database().await.scalar(&living).await, 1, "{signed_in} were in before the change");
}

#[tokio::test]
async fn of_two_changes_at_once_one_wins() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    let changes = concurrently(4, |number| {
        let ada = ada.clone();
        async move { change(&ada, PASSWORD, &format!("{NEW}-{number}")).await.status }
    });
    let mut answers = changes.await;
    answers.sort_unstable();
    assert_eq!(answers, [200, 422, 422, 422]);
}
