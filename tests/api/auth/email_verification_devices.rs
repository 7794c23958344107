//! Verifying an e-mail address on another device than the one that registered: a user who knows the password keeps it, and
//! someone who registered with the e-mail address of another user loses it.

use insula_tests::{Browser, Client, Inbox, PASSWORD, Reply, Server, SharedServer, unique};
use serde_json::{Value, json};

const LOG_IN: &str = "/api/v1/auth/login";
const VERIFY: &str = "/api/v1/auth/email/verify";
const ME: &str = "/api/v1/users/me";
const NEW: &str = "Violet-harbour-92-lamp";

/// A server, and a user who registered there, is logged in, and was e-mailed a link: its token.
async fn registered() -> (SharedServer, Client, String) {
    let server = Server::shared_with_mail().await;
    let inbox = Inbox::own(&server).await;
    register(server, &inbox).await
}

async fn register(server: SharedServer, inbox: &Inbox) -> (SharedServer, Client, String) {
    let ada = server.register("ada").await;
    let token = inbox.last("send_verification").await.token;
    (server, ada, token)
}

async fn verify(client: &Client, token: &str, more: Value) -> Reply {
    let mut body = json!({ "token": token });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post(VERIFY, body).await
}

fn with_password(password: &str) -> Value {
    json!({ "password": password })
}

async fn verified(server: &SharedServer) -> i64 {
    let verified = "SELECT count(*) FROM users WHERE email_verified_at IS NOT NULL AND id IN";
    server.database().await.scalar(&format!("{verified} {}", server.own_users())).await
}

#[tokio::test]
async fn on_another_device_the_password_keeps_the_sessions() {
    let (server, ada, token) = registered().await;
    let phone = server.client();
    for body in [json!({}), json!({ "password": null, "new_password": null })] {
        verify(&phone, &token, body).await.problem(409, "PASSWORD_REQUIRED");
    }
    let wrong = verify(&phone, &token, with_password(NEW)).await;
    wrong.problem(422, "PASSWORD_MISMATCH");
    assert_eq!(wrong.faults(), ["password WRONG"]);
    assert_eq!(verified(&server).await, 0);
    ada.get(ME).await.expect(200);

    let followed = verify(&phone, &token, with_password(PASSWORD)).await.expect(200);
    assert_eq!(followed, json!({ "email": server.email("ada"), "password_reset_token": null }));
    assert!(ada.get(ME).await.expect(200)["email_verified_at"].is_string());
    server.client().log_in(&server.email("ada"), PASSWORD).await.create_organization(&unique("acme")).await;
    verify(&phone, &token, with_password(PASSWORD)).await.problem(410, "LINK_EXPIRED");
    let events = "SELECT count(*) FROM audit_events WHERE action = 'user.email_verified' AND actor_id IN";
    let events = format!("{events} {}", server.own_users());
    assert_eq!(server.database().await.scalar(&events).await, 1);
}

#[tokio::test]
async fn without_the_password_a_new_one_is_set_and_earlier_access_is_revoked() {
    let server = Server::shared_with_mail().await;
    let inbox = Inbox::own(&server).await;
    // Somebody else opens it, with a password of their own, and stays logged in.
    let attacker = server.register("victim").await;
    let token = inbox.last("send_verification").await.token;
    let eve = server.register("eve").await;
    verify(&eve, &inbox.last("send_verification").await.token, json!({})).await.expect(200);

    // A session of another user has no more rights than none.
    for client in [&eve, &server.client()] {
        verify(client, &token, json!({})).await.problem(409, "PASSWORD_REQUIRED");
    }
    let weak = verify(&eve, &token, json!({ "new_password": server.email("victim") })).await;
    weak.problem(422, "WEAK_PASSWORD");
    assert!(weak.faults()[0].starts_with("new_password "), "{:?}", weak.faults());
    attacker.get(ME).await.expect(200);

    let followed = verify(&eve, &token, json!({ "new_password": NEW })).await.expect(200);
    assert_eq!(followed, json!({ "email": server.email("victim"), "password_reset_token": null }));
    attacker.get(ME).await.problem(401, "INVALID_TOKEN");
    let log_in = json!({ "email": server.email("victim"), "password": PASSWORD });
    server.client().post(LOG_IN, log_in).await.problem(401, "INVALID_CREDENTIALS");
    server.client().log_in(&server.email("victim"), NEW).await.create_organization(&unique("acme")).await;
    verify(&eve, &token, json!({ "new_password": NEW })).await.problem(410, "LINK_EXPIRED");
    eve.get(ME).await.expect(200);
}

#[tokio::test]
async fn where_there_is_no_password_there_is_nothing_to_ask_for() {
    let (server, ada, token) = registered().await;
    let delete = format!("DELETE FROM credentials WHERE user_id IN {}", server.own_users());
    assert_eq!(server.database().await.execute(&delete).await, 1);
    let followed = verify(&server.client(), &token, json!({})).await.expect(200);
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
    let reset = json!({ "token": followed["password_reset_token"], "password": NEW });
    server.client().post("/api/v1/auth/password/reset", reset.clone()).await.expect(200);
    server.client().post("/api/v1/auth/password/reset", reset).await.problem(410, "LINK_EXPIRED");
    server.client().log_in(&server.email("ada"), NEW).await.create_organization(&unique("acme")).await;
}

#[tokio::test]
async fn wrong_passwords_count_as_failed_logins() {
    let server = Server::builder().with_mail().env("INSULA_LIMIT_FAILED_LOGINS", "5/15min").start().await;
    let inbox = Inbox::of(&server).await;
    let (server, _, token) = register(server.into(), &inbox).await;
    let database = server.database().await;
    let mut statuses = Vec::new();
    // Each wait is twice as long as the one before: however slow the machine is, one of the next is met.
    while !statuses.contains(&429) && statuses.len() < 12 {
        statuses.push(verify(&server.client(), &token, with_password(NEW)).await.status);
    }
    assert!(statuses.starts_with(&[422; 5]) && statuses.ends_with(&[429]), "{statuses:?}");
    let events = "SELECT count(*) FROM audit_events WHERE action = 'session.refused'";
    assert_eq!(database.scalar(events).await, 1, "the first one is written, the others are counted");
    // A new password needs no guess.
    verify(&server.client(), &token, json!({ "new_password": NEW })).await.expect(200);
}

#[tokio::test]
async fn in_the_browser_that_registered_a_link_keeps_the_password() {
    let (server, _, token) = registered().await;
    let (browser, _) = Browser::log_in(&server.client(), &server.url(""), &server.email("ada")).await;
    let body = json!({ "token": token });
    // Not by a page of others, which could not ask for it either.
    browser.forged("POST", VERIFY).json(body.clone()).await.problem(403, "CSRF_FAILED");
    let followed = browser.post(VERIFY, body).await.expect(200);
    assert_eq!(followed["password_reset_token"], Value::Null);
    server.client().log_in(&server.email("ada"), PASSWORD).await.create_organization(&unique("acme")).await;
}

#[tokio::test]
async fn cookies_of_a_session_that_has_ended_do_not_keep_a_link_from_working() {
    let (server, ada, token) = registered().await;
    let (browser, _) = Browser::log_in(&server.client(), &server.url(""), &server.email("ada")).await;
    ada.request("POST", "/api/v1/auth/logout-all").await.expect(204);
    browser.post(VERIFY, json!({ "token": token })).await.problem(409, "PASSWORD_REQUIRED");
    browser.post(VERIFY, json!({ "token": token, "password": PASSWORD })).await.expect(200);
    server.client().log_in(&server.email("ada"), PASSWORD).await.create_organization(&unique("acme")).await;
}
