//! With hidden accounts, no public operation tells whether an address has an account.

use std::time::Duration;

use insula_tests::{Client, Inbox, PASSWORD, Reply, Server};
use serde_json::{Value, json};

const REGISTER: &str = "/api/v1/auth/register";
const LOG_IN: &str = "/api/v1/auth/login";
const FORGOT: &str = "/api/v1/auth/password/forgot";
const RESEND: &str = "/api/v1/auth/email/resend";
const CHANGE: &str = "/api/v1/users/me/email";
const ME: &str = "/api/v1/users/me";
const INVITATIONS: &str = "/api/v1/organizations/acme/invitations";

/// Has a verified account, and the username `ada`.
const KNOWN: &str = "ada@example.com";
/// Has an account that waits for its address to be verified; its username is wished for.
const WAITING: &str = "una@example.com";
const UNKNOWN: &str = "nobody@example.com";

async fn start(settings: &[(&str, &str)]) -> (Server, Inbox) {
    let start = Server::builder().with_mail().env("INSULA_HIDE_EXISTING_ACCOUNTS", "true");
    let start = settings.iter().fold(start, |start, (name, value)| start.env(name, value));
    let server = start.start().await;
    let inbox = Inbox::of(&server).await;
    register(&server, KNOWN, Some("ada")).await.expect(202);
    inbox.verify_email(&server.client(), KNOWN).await;
    register(&server, WAITING, Some("una")).await.expect(202);
    (server, inbox)
}

async fn register(server: &Server, email: &str, username: Option<&str>) -> Reply {
    let person = json!({ "email": email, "password": PASSWORD, "username": username });
    server.client().post(REGISTER, person).await
}

async fn log_in(server: &Server, by: &str, name: &str, password: &str) -> Reply {
    server.client().post(LOG_IN, json!({ by: name, "password": password })).await
}

/// Everything of an answer but what names the request and the moment.
fn answer_of(reply: &Reply) -> (u16, Value, Vec<String>) {
    let (status, body) = reply.outcome();
    let headers = reply.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    let lines = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    (status, body, lines.collect())
}

#[track_caller]
fn alike(what: &str, replies: &[Reply], status: u16) {
    let answers: Vec<_> = replies.iter().map(answer_of).collect();
    assert_eq!(answers[0].0, status, "{what}: {answers:#?}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{what}: {answers:#?}");
}

#[tokio::test]
async fn no_public_operation_tells_whether_an_address_has_an_account() {
    let (server, _) = start(&[]).await;
    for path in [FORGOT, RESEND] {
        let mut replies = Vec::new();
        for email in [KNOWN, WAITING, UNKNOWN] {
            replies.push(server.client().post(path, json!({ "email": email })).await);
        }
        alike(path, &replies, 202);
    }

    let wrong = log_in(&server, "email", KNOWN, "a wrong guess").await;
    wrong.problem(401, "INVALID_CREDENTIALS");
    let right = log_in(&server, "email", WAITING, PASSWORD).await;
    let by_wish = log_in(&server, "username", "una", PASSWORD).await;
    let unknown = log_in(&server, "email", UNKNOWN, PASSWORD).await;
    alike(LOG_IN, &[wrong, right, by_wish, unknown], 401);

    // With a username that is free, and with those of others.
    let mut replies = Vec::new();
    for (number, username) in [None, Some("free"), Some("ada"), Some("UNA")].into_iter().enumerate() {
        for email in [KNOWN, WAITING, &format!("new-{number}@example.com")] {
            replies.push(register(&server, email, username).await);
        }
    }
    alike(REGISTER, &replies, 202);
    // The password of that request allows no login.
    let chosen = json!({ "email": KNOWN, "password": "Copper-harbour-92-violin" });
    server.client().post(REGISTER, chosen.clone()).await.expect(202);
    let known = server.client().post(LOG_IN, chosen).await;
    let new = log_in(&server, "email", "new-0@example.com", PASSWORD).await;
    alike("a log-in after registering", &[known, new], 401);

    let ada = server.client().log_in(KNOWN, PASSWORD).await;
    let mut replies = Vec::new();
    for email in [WAITING, "new-1@example.com", UNKNOWN] {
        replies.push(ada.post(CHANGE, json!({ "email": email })).await);
    }
    alike(CHANGE, &replies, 202);
}

/// Neither the answer nor the list reveals it. Opening the e-mailed link proves the e-mail address.
#[tokio::test]
async fn an_invitation_does_not_tell_whether_there_is_an_account() {
    let (server, inbox) = start(&[]).await;
    let ada = server.client().log_in(KNOWN, PASSWORD).await;
    register(&server, "bob@example.com", None).await.expect(202);
    inbox.verify_email(&server.client(), "bob@example.com").await;
    ada.create_organization("acme").await;
    let mut answer_of = Vec::new();
    for email in ["bob@example.com", WAITING, UNKNOWN] {
        ada.invite("acme", email, &["viewer"]).await.expect(201);
        let listed = ada.get(INVITATIONS).await.expect(200);
        let all = listed["data"].as_array().unwrap().iter();
        let mut invitation = all.clone().find(|one| one["email"] == email).unwrap().clone();
        for own in ["id", "email", "created_at", "updated_at", "expires_at"] {
            invitation[own] = Value::Null;
        }
        answer_of.push(invitation);
    }
    assert!(answer_of.iter().all(|invitation| *invitation == answer_of[0]), "{answer_of:#?}");
}

/// Who guesses at an address, registers it and goes on would see whether the guesses of before still count.
#[tokio::test]
async fn failed_logins_count_the_same_for_known_and_unknown_addresses() {
    let (server, _) =
        start(&[("INSULA_LIMIT_FAILED_LOGINS", "1/15min"), ("INSULA_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let stranger = server.client().with("x-forwarded-for", "198.51.100.7");
    let waits = async |email: &str| {
        // Eight seconds to wait after the fourth.
        for wait in [1, 2, 4] {
            guess(&stranger, email).await.problem(401, "INVALID_CREDENTIALS");
            tokio::time::sleep(Duration::from_secs(wait)).await;
        }
        guess(&stranger, email).await.problem(401, "INVALID_CREDENTIALS");
        register(&server, email, None).await.expect(202);
        guess(&stranger, email).await.status
    };
    assert_eq!(tokio::join!(waits(KNOWN), waits(UNKNOWN)), (429, 429));
}

async fn guess(client: &Client, email: &str) -> Reply {
    client.post(LOG_IN, json!({ "email": email, "password": "a wrong guess" })).await
}

#[tokio::test]
async fn a_username_is_given_when_the_address_is_verified() {
    let (server, inbox) = start(&[]).await;
    let username = async |email: &str| {
        server.client().log_in(email, PASSWORD).await.get(ME).await.expect(200)["username"].clone()
    };
    assert_eq!(username(KNOWN).await, "ada");
    // Hers already, and of two who wish for the same the one who proves their address first.
    for (email, wish) in [("eve@example.com", "ADA"), ("dan@example.com", "Dan"), ("dora@example.com", "dan")]
    {
        register(&server, email, Some(wish)).await.expect(202);
        if email != "dan@example.com" {
            inbox.verify_email(&server.client(), email).await;
        }
    }
    inbox.verify_email(&server.client(), "dan@example.com").await;
    assert_eq!(username("eve@example.com").await, Value::Null);
    assert_eq!(username("dan@example.com").await, Value::Null);
    assert_eq!(username("dora@example.com").await, "dan");
    for (name, email) in [("ada", KNOWN), ("DAN", "dora@example.com")] {
        let signed_in = log_in(&server, "username", name, PASSWORD).await.expect(200);
        assert_eq!(signed_in["user"]["email"], email);
    }
    // A superuser's word is a proof, too.
    log_in(&server, "username", "una", PASSWORD).await.problem(401, "INVALID_CREDENTIALS");
    let database = server.database().await;
    database.execute("UPDATE users SET is_superuser = true WHERE email = 'ada@example.com'").await;
    let root = server.client().log_in(KNOWN, PASSWORD).await;
    let found = root.get("/api/v1/admin/users?q=una").await.expect(200);
    let path = format!("/api/v1/admin/users/{}", found["data"][0]["id"].as_str().unwrap());
    let changed = root.patch(&path, json!({ "email": "una.new@example.com" })).header("if-match", "*").await;
    assert_eq!(changed.expect(200)["username"], "una");
    let held = "SELECT count(*) FROM users WHERE username_canonical = 'una'";
    assert_eq!(database.scalar(held).await, 1);
}
