//! Refresh tokens: each is exchanged once, concurrent tabs stay logged in, and theft is detected.

use std::collections::BTreeSet;

use insula_tests::{Client, PASSWORD, Server, SharedServer, concurrently, eventually};
use serde_json::{Value, json};

const REFRESH: &str = "/api/v1/auth/refresh";
const ME: &str = "/api/v1/users/me";

/// Ada, logged in, with the answer to the login.
async fn ada(server: &SharedServer) -> Value {
    server.register("ada").await;
    log_in(server).await
}

async fn log_in(server: &SharedServer) -> Value {
    let who = json!({ "email": server.email("ada"), "password": PASSWORD });
    server.client().post("/api/v1/auth/login", who).await.expect(200)
}

fn text(session: &Value, key: &str) -> String {
    session[key].as_str().unwrap_or_else(|| panic!("no {key} in {session}")).to_owned()
}

fn body(token: &str) -> Value {
    json!({ "refresh_token": token })
}

async fn refresh(client: &Client, token: &str) -> Value {
    client.post(REFRESH, body(token)).await.expect(200)
}

/// SQL for the highest number of refreshes of a session.
fn counter(server: &SharedServer) -> String {
    format!("SELECT max(refresh_counter) FROM sessions WHERE user_id IN {}", server.own_users())
}

#[tokio::test]
async fn a_refresh_gives_a_new_pair_of_the_same_session() {
    let server = SharedServer::from(Server::start().await);
    let session = ada(&server).await;
    let anybody = server.client();
    let events = "SELECT count(*) FROM audit_events";
    let before = server.database().await.scalar(events).await;
    let next = refresh(&anybody, &text(&session, "refresh_token")).await;
    assert_eq!((&next["session_id"], &next["user"]["id"]), (&session["session_id"], &session["user"]["id"]));
    assert_eq!((&next["token_type"], &next["expires_in"]), (&json!("bearer"), &json!(900)));
    for token in ["access_token", "refresh_token"] {
        assert_ne!(next[token], session[token]);
    }
    // The old access token lives until it expires: requests under way are not lost.
    for session in [&session, &next] {
        anybody.bearer(&text(session, "access_token")).get(ME).await.expect(200);
    }
    refresh(&anybody, &text(&next, "refresh_token")).await;
    assert_eq!(server.database().await.scalar(events).await, before, "a refresh is no event");
}

#[tokio::test]
async fn twenty_tabs_with_one_token_all_get_the_one_successor() {
    let server = Server::shared().await;
    let anybody = server.client();
    let mut token = text(&ada(&server).await, "refresh_token");
    for round in 0..3 {
        let tabs = concurrently(20, |_| {
            let (anybody, token) = (anybody.clone(), token.clone());
            async move { text(&refresh(&anybody, &token).await, "refresh_token") }
        });
        let successors: BTreeSet<String> = tabs.await.into_iter().collect();
        assert_eq!(successors.len(), 1, "round {round}");
        let successor = successors.into_iter().next().unwrap();
        assert_ne!(successor, token);
        token = successor;
    }
    let counter = server.database().await.scalar(&counter(&server)).await;
    assert_eq!(counter, 4, "each round counted once");
}

#[tokio::test]
async fn tabs_on_two_processes_get_the_one_successor_too() {
    let slow = |builder: insula_tests::Builder| builder.env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60");
    let here = SharedServer::from(slow(Server::builder()).start().await);
    let there = slow(Server::builder()).test_env(here.test_env()).start().await;
    let clients = [here.client(), there.client()];
    let mut token = text(&ada(&here).await, "refresh_token");
    for _ in 0..10 {
        let tabs = concurrently(8, |number| {
            let (client, token) = (clients[number % 2].clone(), token.clone());
            async move { text(&refresh(&client, &token).await, "refresh_token") }
        });
        let successors: BTreeSet<String> = tabs.await.into_iter().collect();
        assert_eq!(successors.len(), 1, "{successors:?}");
        token = successors.into_iter().next().unwrap();
    }
    let counter = here.database().await.scalar(&counter(&here)).await;
    assert_eq!(counter, 11, "each round counted once");
}

#[tokio::test]
async fn reuse_of_an_old_token_revokes_the_session_and_notifies_the_user() {
    let server = SharedServer::from(Server::builder().env("INSULA_REFRESH_GRACE", "0").start().await);
    let (anybody, database) = (server.client(), server.database().await);
    let session = ada(&server).await;
    let elsewhere = log_in(&server).await;
    let next = refresh(&anybody, &text(&session, "refresh_token")).await;
    anybody.bearer(&text(&next, "access_token")).get(ME).await.expect(200);
    anybody.post(REFRESH, body(&text(&session, "refresh_token"))).await.problem(401, "INVALID_TOKEN");
    // An attacker may have the newest token.
    anybody.post(REFRESH, body(&text(&next, "refresh_token"))).await.problem(401, "INVALID_TOKEN");
    for session in [&session, &next] {
        anybody.bearer(&text(session, "access_token")).get(ME).await.problem(401, "INVALID_TOKEN");
    }
    anybody.bearer(&text(&elsewhere, "access_token")).get(ME).await.expect(200);
    let count =
        "SELECT count(*) FROM audit_events WHERE action = 'session.refresh_reuse' AND actor_kind = 'user'";
    assert_eq!(database.scalar(count).await, 1);
    let mails = database.texts("SELECT payload FROM outbox WHERE kind = 'send_refresh_reuse'").await;
    assert_eq!(mails.len(), 1);
    let mail: Value = serde_json::from_str(&mails[0]).unwrap();
    assert_eq!(mail, json!({ "user": session["user"]["id"], "session": session["session_id"] }));
}

#[tokio::test]
async fn a_token_from_the_future_is_refused_and_ends_nothing() {
    let server = Server::shared().await;
    let (anybody, database) = (server.client(), server.database().await);
    let first = ada(&server).await;
    let second = refresh(&anybody, &text(&first, "refresh_token")).await;
    // As after a restored backup.
    let own = format!("WHERE user_id IN {}", server.own_users());
    database.execute(&format!("UPDATE sessions SET refresh_counter = 1 {own}")).await;
    anybody.post(REFRESH, body(&text(&second, "refresh_token"))).await.problem(401, "INVALID_TOKEN");
    refresh(&anybody, &text(&first, "refresh_token")).await;
    let revoked = format!("SELECT count(*) FROM sessions {own} AND revoked_at IS NOT NULL");
    assert_eq!(database.scalar(&revoked).await, 0);
}

#[tokio::test]
async fn what_is_no_refresh_token_is_none() {
    let server = Server::shared().await;
    let anybody = server.client();
    let session = ada(&server).await;
    let (access, refresh) = (text(&session, "access_token"), text(&session, "refresh_token"));
    let altered = |at: usize| {
        let other = if &refresh[at..=at] == "A" { "Q" } else { "A" };
        format!("{}{other}{}", &refresh[..at], &refresh[at + 1..])
    };
    let bad = [
        access.clone(),
        "rt_".into(),
        "x".into(),
        refresh[3..].into(),
        altered(10),
        altered(30),
        altered(60),
    ];
    for token in bad {
        anybody.post(REFRESH, body(&token)).await.problem(401, "INVALID_TOKEN");
    }
    // Nor is it an access token.
    anybody.bearer(&refresh).get(ME).await.problem(401, "INVALID_TOKEN");
    anybody.request("POST", REFRESH).await.problem(401, "UNAUTHENTICATED");
    anybody.post(REFRESH, json!({})).await.problem(401, "UNAUTHENTICATED");
    anybody.post(REFRESH, body("")).await.problem(422, "VALIDATION_FAILED");
    // No attempt cost the session anything.
    anybody.post(REFRESH, body(&refresh)).await.expect(200);
}

#[tokio::test]
async fn what_has_ended_is_not_refreshed() {
    let past = "'2026-01-01T00:00:00Z'";
    for (table, end) in [
        ("sessions", format!("idle_expires_at = {past}")),
        ("sessions", format!("expires_at = {past}")),
        ("sessions", format!("revoked_at = {past}")),
        ("users", "is_active = false".to_owned()),
        ("users", format!("deleted_at = {past}")),
    ] {
        let server = Server::shared().await;
        let session = ada(&server).await;
        let (id, own) = (if table == "users" { "id" } else { "user_id" }, server.own_users());
        server.database().await.execute(&format!("UPDATE {table} SET {end} WHERE {id} IN {own}")).await;
        let reply = server.client().post(REFRESH, body(&text(&session, "refresh_token"))).await;
        reply.problem(401, "INVALID_TOKEN");
        let counted = format!("SELECT count(*) FROM sessions WHERE refresh_counter > 1 AND user_id IN {own}");
        assert_eq!(server.database().await.scalar(&counted).await, 0, "{end}");
        let me = server.client().bearer(&text(&session, "access_token"));
        eventually("the access token is dead too", async || me.get(ME).await.status == 401).await;
    }
}

#[tokio::test]
async fn a_session_without_refresh_expires() {
    let server = SharedServer::from(Server::builder().env("INSULA_SESSION_IDLE_TTL", "1").start().await);
    let session = ada(&server).await;
    let me = server.client().bearer(&text(&session, "access_token"));
    eventually("the idle session ends", async || me.get(ME).await.status == 401).await;
    let reply = server.client().post(REFRESH, body(&text(&session, "refresh_token"))).await;
    reply.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn one_process_refreshes_what_another_one_gave() {
    let here = SharedServer::from(Server::start().await);
    let there = Server::builder().test_env(here.test_env()).start().await;
    let mut token = text(&ada(&here).await, "refresh_token");
    for server in [&there, &*here, &there] {
        let next = refresh(&server.client(), &token).await;
        here.client().bearer(&text(&next, "access_token")).get(ME).await.expect(200);
        token = text(&next, "refresh_token");
    }
}
