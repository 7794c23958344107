//! Servers with different clocks use the clock of the database for shared decisions.

use insula_tests::{PASSWORD, Server};
use serde_json::{Value, json};

const REFRESH: &str = "/api/v1/auth/refresh";
const ME: &str = "/api/v1/users/me";

/// A server, and another one on the same database whose clock differs by so many seconds. `None` on SQLite: what shares a file
/// shares a clock.
async fn two(seconds: i32) -> Option<(Server, Server)> {
    let here = Server::start().await;
    if !here.test_env().is_postgres() {
        return None;
    }
    let there = Server::builder().clock(seconds).test_env(here.test_env()).start().await;
    Some((here, there))
}

async fn log_in(server: &Server) -> Value {
    let who = json!({ "email": "ada@example.com", "password": PASSWORD });
    server.client().post("/api/v1/auth/login", who).await.expect(200)
}

fn token<'a>(session: &'a Value, name: &str) -> &'a str {
    session[name].as_str().unwrap()
}

#[tokio::test]
async fn servers_take_each_others_tokens() {
    for seconds in [-90, 90] {
        let Some((here, there)) = two(seconds).await else { return };
        here.client().register("ada@example.com").await;
        for (from, to) in [(&here, &there), (&there, &here)] {
            let session = log_in(from).await;
            to.client().bearer(token(&session, "access_token")).get(ME).await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_fast_clock_does_not_end_a_grace_period() {
    let Some((here, there)) = two(25).await else { return };
    here.client().register("ada@example.com").await;
    let first = log_in(&here).await;
    let old = json!({ "refresh_token": token(&first, "refresh_token") });
    let second = here.client().post(REFRESH, old.clone()).await.expect(200);
    here.client().bearer(token(&second, "access_token")).get(ME).await.expect(200);
    let again = there.client().post(REFRESH, old).await.expect(200);
    assert_eq!(again["refresh_token"], second["refresh_token"]);
    here.client().bearer(token(&second, "access_token")).get(ME).await.expect(200);
}

/// How many seconds `text` says that this server is behind.
fn seconds_behind(text: &str) -> Option<u32> {
    let (before, _) = text.split_once(" s behind the clock of the database")?;
    before.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn operators_are_told_that_the_clock_of_a_server_differs() {
    let Some((here, there)) = two(-20).await else { return };
    let is_acknowledged =
        |text: &str| seconds_behind(text).is_some_and(|seconds| (18..=22).contains(&seconds));
    let ready = there.client().get("/readyz").await.expect(200);
    assert!(ready["status"] == "ready" && is_acknowledged(ready["warnings"][0].as_str().unwrap()), "{ready}");
    let ops = there.ops_client().await.get("/readyz").await.expect(200);
    assert!(ops["status"] == "ok" && is_acknowledged(ops["warnings"][0].as_str().unwrap()), "{ops}");
    assert!(is_acknowledged(&there.log()), "{}", there.log());
    assert_eq!(here.client().get("/readyz").await.expect(200), json!({ "status": "ready" }));
    assert!(!here.log().contains("clock of the database"), "{}", here.log());
}
