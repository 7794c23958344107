//! A refresh whose answer was lost: the client comes back with the token it has, however late. A stolen token still ends the
//! session, before or after its owner.

use std::{sync::Arc, time::Duration};

use insula_tests::{OrgWithOwner, PASSWORD, Server, SharedServer};
use serde_json::{Value, json};
use tokio::{sync::OnceCell, time::sleep};

const REFRESH: &str = "/api/v1/auth/refresh";
const ME: &str = "/api/v1/users/me";
const ACME: &str = "/api/v1/organizations/{org}";

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

/// Where nothing is forgiven for its age alone. Ada has an organization there.
async fn start() -> OrgWithOwner {
    static SHARED: OnceCell<Arc<Server>> = OnceCell::const_new();
    let builder = Server::builder().env("INSULA_REFRESH_GRACE", "0");
    OrgWithOwner::on_shared(SharedServer::start_once(&SHARED, builder).await).await
}

async fn log_in(server: &OrgWithOwner) -> Pair {
    let who = json!({ "email": server.email("ada"), "password": PASSWORD });
    pair(&server.client().post("/api/v1/auth/login", who).await.expect(200))
}

async fn refresh(server: &OrgWithOwner, tokens: &Pair) -> Pair {
    pair(&server.client().post(REFRESH, json!({ "refresh_token": tokens.refresh })).await.expect(200))
}

/// Is refused, and ends the session: none of these tokens is good any more.
async fn ends(server: &OrgWithOwner, tokens: &Pair, others: &[&Pair]) {
    let stolen = json!({ "refresh_token": tokens.refresh });
    server.client().post(REFRESH, stolen).await.problem(401, "INVALID_TOKEN");
    for Pair { access, refresh } in others {
        let newest = json!({ "refresh_token": refresh });
        server.client().post(REFRESH, newest).await.problem(401, "INVALID_TOKEN");
        server.client().bearer(access).get(ME).await.problem(401, "INVALID_TOKEN");
    }
}

/// Ada's id, for which her session need not live.
async fn user_id(server: &OrgWithOwner) -> String {
    let database = server.database().await;
    let id = format!("SELECT {} FROM users WHERE id IN {}", database.hex("id"), server.own_users());
    let hex = database.text(&id).await;
    uuid::Uuid::parse_str(&hex).unwrap().to_string()
}

/// The events and the e-mails about stolen tokens of Ada.
async fn alarms(server: &OrgWithOwner) -> (i64, i64) {
    let (database, user) = (server.database().await, user_id(server).await);
    let events = "SELECT count(*) FROM audit_events WHERE action = 'session.refresh_reuse' AND actor_id IN";
    let events = database.scalar(&format!("{events} {}", server.own_users())).await;
    let mailed = "SELECT count(*) FROM outbox WHERE kind = 'send_refresh_reuse' AND payload LIKE";
    (events, database.scalar(&format!("{mailed} '%{user}%'")).await)
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_until_something_of_it_is_used() {
    let server = start().await;
    let first = log_in(&server).await;
    let lost = refresh(&server, &first).await;
    for _ in 0..2 {
        let again = refresh(&server, &first).await;
        assert_eq!(again.refresh, lost.refresh);
    }
    let second = refresh(&server, &first).await;
    assert_eq!(alarms(&server).await, (0, 0));
    // The old access token says nothing of the new pair.
    server.client().bearer(&first.access).get(ME).await.expect(200);
    refresh(&server, &first).await;
    server.client().bearer(&second.access).get(ME).await.expect(200);
    ends(&server, &first, &[&second]).await;
    assert_eq!(alarms(&server).await, (1, 1));
}

#[tokio::test]
async fn theft_before_the_owner_refreshes_is_detected() {
    let server = start().await;
    let owner = log_in(&server).await;
    let thief = refresh(&server, &owner).await;
    server.client().bearer(&thief.access).get(ME).await.expect(200);
    ends(&server, &owner, &[&thief]).await;
    assert_eq!(alarms(&server).await, (1, 1));
    // Also one who uses refresh tokens alone.
    let owner = log_in(&server).await;
    let thief = refresh(&server, &refresh(&server, &owner).await).await;
    ends(&server, &owner, &[&thief]).await;
    assert_eq!(alarms(&server).await, (2, 2));
    // And one who waits until the owner has got the same pair.
    let owner = log_in(&server).await;
    let thief = refresh(&server, &owner).await;
    let owner = refresh(&server, &owner).await;
    assert_eq!(thief.refresh, owner.refresh);
    let owner_next = refresh(&server, &owner).await;
    server.client().bearer(&owner_next.access).get(ME).await.expect(200);
    ends(&server, &thief, &[&owner_next]).await;
    assert_eq!(alarms(&server).await, (3, 3));
}

#[tokio::test]
async fn theft_after_the_owner_refreshed_revokes_the_session() {
    let server = start().await;
    let stolen = log_in(&server).await;
    let owner = refresh(&server, &stolen).await;
    server.client().bearer(&owner.access).get(ME).await.expect(200);
    ends(&server, &stolen, &[&owner]).await;
    assert_eq!(alarms(&server).await, (1, 1));
}

/// Whatever looks a session up notes what was presented: reads and writes, within organizations and without, allowed or not.
#[tokio::test]
async fn every_use_of_an_access_token_counts() {
    let server = start().await;
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
    // Two processes would share the jobs of the other tests.
    let here = Server::builder().env("INSULA_REFRESH_GRACE", "0").start().await;
    let here = OrgWithOwner::on(here).await;
    let there = Server::builder().env("INSULA_REFRESH_GRACE", "0").env("INSULA_SESSION_CACHE_TTL", "60");
    let there = there.test_env(here.test_env()).start().await;
    for path in [ME, ACME] {
        let first = log_in(&here).await;
        let remembered = there.client().in_organization(&here.slug).bearer(&first.access);
        let second = refresh(&here, &first).await;
        for _ in 0..2 {
            remembered.get(path).await.expect(200);
        }
        there.client().in_organization(&here.slug).bearer(&second.access).get(path).await.expect(200);
        ends(&here, &first, &[&second]).await;
    }
}

#[tokio::test]
async fn what_is_given_again_has_a_grace_of_its_own() {
    let server = OrgWithOwner::on(Server::builder().env("INSULA_REFRESH_GRACE", "2").start().await).await;
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
