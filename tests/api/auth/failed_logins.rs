//! All operations that check a password share one limit of failures, and record a failed attempt.

use std::time::Duration;

use insula_tests::{Client, PASSWORD, Reply, Server, concurrently};
use serde_json::{Value, json};

const LOG_IN: &str = "/api/v1/auth/login";
const REAUTHENTICATE: &str = "/api/v1/auth/reauthenticate";
const CHANGE: &str = "/api/v1/users/me/password";
const NEW: &str = "Copper-harbour-92-violin";

/// Where a user who is logged in, or says that they are Ada, gives a password.
#[derive(Clone, Copy, Debug)]
enum PasswordOperation {
    LogIn,
    Reauthenticate,
    Change,
}

impl PasswordOperation {
    const ALL: [Self; 3] = [Self::LogIn, Self::Reauthenticate, Self::Change];

    async fn try_with(self, client: &Client, password: &str) -> Reply {
        match self {
            Self::LogIn => {
                client.post(LOG_IN, json!({ "email": "ada@example.com", "password": password })).await
            }
            Self::Reauthenticate => client.post(REAUTHENTICATE, json!({ "password": password })).await,
            Self::Change => {
                client.put(CHANGE, json!({ "current_password": password, "password": NEW })).await
            }
        }
    }

    #[track_caller]
    fn refuses(self, reply: &Reply) {
        match self {
            Self::LogIn => reply.problem(401, "INVALID_CREDENTIALS"),
            Self::Reauthenticate | Self::Change => reply.problem(422, "PASSWORD_MISMATCH"),
        };
    }
}

/// Where five wrong ones are free. `X-Forwarded-For` is believed.
async fn start() -> Server {
    let builder = Server::builder().env("INSULA_LIMIT_FAILED_LOGINS", "5/15min");
    builder.env("INSULA_TRUSTED_PROXIES", "127.0.0.1").start().await
}

/// Guesses wrong at every operation in turn, `times` times, waiting as long as the answers say.
async fn guess(client: &Client, times: usize) {
    let mut wrong = 0;
    while wrong < times {
        let operation = PasswordOperation::ALL[wrong % 3];
        let reply = operation.try_with(client, "a wrong guess").await;
        if reply.status == 429 {
            let seconds = reply.header("retry-after").unwrap().parse().unwrap();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        } else {
            operation.refuses(&reply);
            wrong += 1;
        }
    }
}

#[tokio::test]
async fn wrong_passwords_count_to_one_limit_wherever_they_are_given() {
    let server = start().await;
    let ada = server.client().with("x-forwarded-for", "203.0.113.1").register("ada@example.com").await;
    // Eight seconds to wait after the ninth.
    guess(&ada, 9).await;
    for operation in PasswordOperation::ALL {
        operation.try_with(&ada, "a wrong guess").await.problem(429, "RATE_LIMITED");
        // The right password waits too, or a list of passwords would not be slowed down.
        operation.try_with(&ada, PASSWORD).await.problem(429, "RATE_LIMITED");
    }
}

#[tokio::test]
async fn a_stolen_session_is_limited_and_its_owner_is_not() {
    let server = start().await;
    let ada = server.client().register("ada@example.com").await;
    let home =
        server.client().with("x-forwarded-for", "203.0.113.1").log_in("ada@example.com", PASSWORD).await;
    for operation in [PasswordOperation::Reauthenticate, PasswordOperation::Change] {
        let session = server.client().with("x-forwarded-for", "203.0.113.1");
        let stolen = session.log_in("ada@example.com", PASSWORD).await;
        let mut wrong = 0;
        // From another address each time.
        let limited = loop {
            let thief = stolen.with("x-forwarded-for", &format!("198.51.100.{wrong}"));
            let reply = operation.try_with(&thief, "a wrong guess").await;
            if reply.status == 429 {
                break thief;
            }
            operation.refuses(&reply);
            wrong += 1;
            assert!(wrong < 30, "it may guess for ever");
        };
        assert!(wrong >= 5, "{wrong}");
        limited.get("/api/v1/users/me").await.expect(200);
        for owner in [&home, &ada] {
            owner.post(REAUTHENTICATE, json!({ "password": PASSWORD })).await.expect(204);
        }
        PasswordOperation::LogIn.try_with(&home, PASSWORD).await.expect(200);
    }
    // Strangers who guess at the login do not make a session wait that changed its network.
    for number in 0..6 {
        let stranger = server.client().with("x-forwarded-for", &format!("192.0.2.{number}"));
        PasswordOperation::LogIn.try_with(&stranger, "a wrong guess").await;
    }
    let abroad = home.with("x-forwarded-for", "192.0.2.100");
    abroad.post(REAUTHENTICATE, json!({ "password": PASSWORD })).await.expect(204);
}

#[tokio::test]
async fn concurrent_failures_are_counted() {
    let server = start().await;
    let ada = server.client().register("ada@example.com").await;
    let replies = concurrently(60, |_| {
        let ada = ada.clone();
        async move { PasswordOperation::Reauthenticate.try_with(&ada, "a wrong guess").await.status }
    });
    let statuses = replies.await;
    let tried = statuses.iter().filter(|status| **status == 422).count();
    assert!((1..=6).contains(&tried), "{statuses:?}");
    assert!(statuses.iter().all(|status| [422, 429, 503].contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn a_failed_attempt_is_one_event_in_the_activity_of_the_user() {
    let server = Server::start().await;
    let database = server.database().await;
    let ada = server.client().register("ada@example.com").await;
    let id = ada.get("/api/v1/users/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    for operation in [PasswordOperation::Reauthenticate, PasswordOperation::Change] {
        for _ in 0..3 {
            operation.refuses(&operation.try_with(&ada, "Wrong-lantern-48-meadow").await);
        }
    }
    // That a password is no good, or the right one, is no failed attempt.
    let weak = json!({ "current_password": PASSWORD, "password": "password123" });
    ada.put(CHANGE, weak).await.problem(422, "WEAK_PASSWORD");
    ada.post(REAUTHENTICATE, json!({ "password": PASSWORD })).await.expect(204);

    let events = "SELECT outcome || ' ' || resource_id || ' ' || details FROM audit_events
        WHERE action = 'session.refused' AND session_id IS NOT NULL AND actor_id IS NOT NULL ORDER BY occurred_at, id";
    let expected = ["reauthenticate", "changeMyPassword"].map(|operation| {
        let facts = json!({ "after": { "code": "PASSWORD_MISMATCH", "operation": operation } });
        format!("failure {id} {facts}")
    });
    assert_eq!(database.texts(events).await, expected);
    let seen = ada.get("/api/v1/users/me/activity").await.expect(200);
    let refused = |event: &&Value| event["action"] == "session.refused";
    assert_eq!(seen["data"].as_array().unwrap().iter().filter(refused).count(), 2, "{seen}");

    let _env = server.test_env().clone();
    server.terminate().await;
    let counts = database.texts("SELECT details FROM audit_events WHERE details LIKE '%\"repeated\"%'").await;
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert!(counts.iter().all(|details| details.contains("\"repeated\":2")), "{counts:?}");
    let texts = database.texts("SELECT details || coalesce(resource_id, '') FROM audit_events").await;
    assert!(!texts.iter().any(|text| text.contains("lantern")), "{texts:?}");
}
