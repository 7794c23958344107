//! A refresh whose answer was lost: the client comes back with the token it has, however late. A stolen token still ends the
//! session, before or after its owner.

use std::time::Duration;

use insula_tests::{Client, PASSWORD, Server, TestDatabase};
use serde_json::{Value, json};
use tokio::time::sleep;

const REFRESH: &str = "/api/v1/auth/refresh";
const ME: &str = "/api/v1/users/me";
const ACME: &str = "/api/v1/organizations/acme";

/// The tokens of one answer.
#[derive(Clone, Debug, PartialEq)]
struct Pair {
    access: String,
    refresh: String,
}

fn pair(answer: &Value) -> Pair {
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    Pair { access: text("access_token"), refresh: text("refresh_token") }
}

/// Where nothing is forgiven for its age alone.
async fn server() -> Server {
    Server::builder().env("INSULA_REFRESH_GRACE", "0").start().await
}

async fn ada(server: &Server) -> Client {
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    ada
}

async fn log_in(server: &Server) -> Pair {
    let who = json!({ "email": "ada@example.com", "password": PASSWORD });
    pair(&server.client().post("/api/v1/auth/login", who).await.expect(200))
}

async fn refresh(server: &Server, tokens: &Pair) -> Pair {
    pair(&server.client().post(REFRESH, json!({ "refresh_token": tokens.refresh })).await.expect(200))
}

/// Is refused, and ends the session: none of these tokens is good any more.
async fn ends(server: &Server, tokens: &Pair, others: &[&Pair]) {
    let stolen = json!({ "refresh_token": tokens.refresh });
    server.client().post(REFRESH, stolen).await.problem(401, "INVALID_TOKEN");
    for Pair { access, refresh } in others {
        let newest = json!({ "refresh_token": refresh });
        server.client().post(REFRESH, newest).await.problem(401, "INVALID_TOKEN");
        server.client().bearer(access).get(ME).await.problem(401, "INVALID_TOKEN");
    }
}

async fn alarms(database: &TestDatabase) -> (i64, i64) {
    let count = "SELECT count(*) FROM audit_events WHERE action = 'session.refresh_reuse'";
    let mailed = "SELECT count(*) FROM outbox WHERE kind = 'send_refresh_reuse'";
    (database.scalar(count).await, database.scalar(mailed).await)
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_until_something_of_it_is_used() {
    let server = server().await;
    let database = server.database().await;
    ada(&server).await;
    let first = log_in(&server).await;
    let lost = refresh(&server, &first).await;
    for _ in 0..2 {
        let again = refresh(&server, &first).await;
        assert_eq!(again.refresh, lost.refresh);
    }
    let second = refresh(&server, &first).await;
    assert_eq!(alarms(&database).await, (0, 0));
    // The old access token says nothing of the new pair.
    server.client().bearer(&first.access).get(ME).await.expect(200);
    refresh(&server, &first).await;
    server.client().bearer(&second.access).get(ME).await.expect(200);
    ends(&server, &first, &[&second]).await;
    assert_eq!(alarms(&database).await, (1, 1));
}

#[tokio::test]
async fn theft_before_the_owner_refreshes_is_detected() {
    let server = server().await;
    let database = server.database().await;
    ada(&server).await;
    let owner = log_in(&server).await;
    let thief = refresh(&server, &owner).await;
    server.client().bearer(&thief.access).get(ME).await.expect(200);
    ends(&server, &owner, &[&thief]).await;
    assert_eq!(alarms(&database).await, (1, 1));
    // Also one who uses refresh tokens alone.
    let owner = log_in(&server).await;
    let thief = refresh(&server, &refresh(&server, &owner).await).await;
    ends(&server, &owner, &[&thief]).await;
    assert_eq!(alarms(&database).await, (2, 2));
    // And one who waits until the owner has got the same pair.
    let owner = log_in(&server).await;
    let thief = refresh(&server, &owner).await;
    let owner = refresh(&server, &owner).await;
    assert_eq!(thief.refresh, owner.refresh);
    let owner_next = refresh(&server, &owner).await;
    server.client().bearer(&owner_next.access).get(ME).await.expect(200);
    ends(&server, &thief, &[&owner_next]).await;
    assert_eq!(alarms(&database).await, (3, 3));
}

#[tokio::test]
async fn theft_after_the_owner_refreshed_revokes_the_session() {
    let server = server().await;
    let database = server.database().await;
    ada(&server).await;
    let stolen = log_in(&server).await;
    let owner = refresh(&server, &stolen).await;
    server.client().bearer(&owner.access).get(ME).await.expect(200);
    ends(&server, &stolen, &[&owner]).await;
    assert_eq!(alarms(&database).await, (1, 1));
}

/// Whatever looks a session up notes what was presented: reads and writes, within organizations and without, allowed or not.
#[tokio::test]
async fn every_use_of_an_access_token_counts() {
    let server = server().await;
    ada(&server).await;
    let nowhere = "/api/v1/organizations/nowhere";
    for (method, path, body) in [
        ("GET", ME, None),
        ("GET", "/api/v1/users/me/organizations", None),
        ("PATCH", ME, Some(json!({ "first_name": "Ada" }))),
        ("POST", "/api/v1/users/me/email", Some(json!({}))),
        ("GET", ACME, None),
        ("PATCH", ACME, Some(json!({}))),
        ("GET", nowhere, None),
        ("GET", "/api/v1/admin/users", None),
    ] {
        let first = log_in(&server).await;
        let second = refresh(&server, &first).await;
        let request = server.client().bearer(&second.access).request(method, path);
        let reply = match body {
            Some(body) => request.json(body).await,
            None => request.await,
        };
        assert!(reply.status != 401, "{method} {path}");
        ends(&server, &first, &[&second]).await;
    }
}

/// A process that caches the session of an older token still learns of the newer one.
#[tokio::test]
async fn what_is_presented_to_another_process_counts() {
    let here = server().await;
    let there = Server::builder().env("INSULA_REFRESH_GRACE", "0").env("INSULA_SESSION_CACHE_TTL", "60");
    let there = there.test_env(here.test_env()).start().await;
    ada(&here).await;
    for path in [ME, ACME] {
        let first = log_in(&here).await;
        let remembered = there.client().bearer(&first.access);
        let second = refresh(&here, &first).await;
        for _ in 0..2 {
            remembered.get(path).await.expect(200);
        }
        there.client().bearer(&second.access).get(path).await.expect(200);
        ends(&here, &first, &[&second]).await;
    }
}

#[tokio::test]
async fn what_is_given_again_has_a_grace_of_its_own() {
    let server = Server::builder().env("INSULA_REFRESH_GRACE", "2").start().await;
    ada(&server).await;
    let first = log_in(&server).await;
    refresh(&server, &first).await;
    sleep(Duration::from_millis(2500)).await;
    let second = refresh(&server, &first).await;
    server.client().bearer(&second.access).get(ME).await.expect(200);
    // Another tab, a moment later.
    assert_eq!(refresh(&server, &first).await.refresh, second.refresh);
    sleep(Duration::from_millis(2500)).await;
    ends(&server, &first, &[&second]).await;
}
