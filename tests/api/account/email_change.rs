//! Changing the e-mail address: the new address confirms, the old one can undo.

use insula_tests::{Client, Inbox, PASSWORD, Reply, Server};
use serde_json::{Value, json};

const CHANGE: &str = "/api/v1/users/me/email";
const VERIFY: &str = "/api/v1/auth/email/verify";
const UNDO: &str = "/api/v1/auth/email/undo";
const RESET: &str = "/api/v1/auth/password/reset";
const LOG_IN: &str = "/api/v1/auth/login";
const REGISTER: &str = "/api/v1/auth/register";
const ME: &str = "/api/v1/users/me";
const NEW: &str = "Violet-harbour-92-lamp";

/// Ada, verified, where e-mail is sent.
async fn ada(settings: &[(&str, &str)]) -> (Server, Inbox, Client) {
    let start = Server::builder().with_mail();
    let start = settings.iter().fold(start, |start, (name, value)| start.env(name, value));
    let server = start.start().await;
    let inbox = Inbox::of(&server).await;
    let ada = person(&server, &inbox, "ada@example.com").await;
    (server, inbox, ada)
}

/// Somebody else, verified.
async fn person(server: &Server, inbox: &Inbox, email: &str) -> Client {
    let person = json!({ "email": email, "password": PASSWORD });
    let reply = server.client().post(REGISTER, person).await;
    if reply.status == 202 {
        // With hidden accounts, a login needs a verified address.
        inbox.verify_email(&server.client(), email).await;
        return server.client().log_in(email, PASSWORD).await;
    }
    reply.expect(201);
    let client = server.client().log_in(email, PASSWORD).await;
    follow(&client, VERIFY, &inbox.last("send_verification").await.token).await.expect(200);
    client
}

async fn change(client: &Client, email: &str) -> Reply {
    client.post(CHANGE, json!({ "email": email })).await
}

async fn follow(client: &Client, path: &str, token: &str) -> Reply {
    client.post(path, json!({ "token": token })).await
}

async fn email(client: &Client) -> Value {
    client.get(ME).await.expect(200)["email"].clone()
}

async fn log_in(server: &Server, email: &str, password: &str) -> u16 {
    server.client().post(LOG_IN, json!({ "email": email, "password": password })).await.status
}

#[tokio::test]
async fn an_address_changes_when_the_new_one_is_confirmed() {
    let (server, inbox, ada) = ada(&[]).await;
    change(&ada, "Countess@example.com").await.expect(202);
    assert_eq!(email(&ada).await, "ada@example.com");
    let (confirm, notice) =
        (inbox.last("send_email_change").await, inbox.last("send_email_change_notice").await);
    assert_eq!((&*confirm.to, &*notice.to), ("Countess@example.com", "ada@example.com"));

    let followed = follow(&server.client(), VERIFY, &confirm.token).await.expect(200);
    assert_eq!(followed, json!({ "email": "Countess@example.com", "password_reset_token": null }));
    assert_eq!(email(&ada).await, "Countess@example.com");
    follow(&server.client(), VERIFY, &confirm.token).await.problem(410, "LINK_EXPIRED");
    assert_eq!(log_in(&server, "countess@example.com", PASSWORD).await, 200);
    assert_eq!(log_in(&server, "ada@example.com", PASSWORD).await, 401);
    let details = server.database().await.texts("SELECT details FROM audit_events").await;
    assert!(!details.concat().contains("example.com"), "{details:?}");
}

#[tokio::test]
async fn it_needs_a_recent_login() {
    let (server, _, ada) = ada(&[]).await;
    server.database().await.execute("UPDATE sessions SET auth_time = '2026-01-01T00:00:00Z'").await;
    change(&ada, "countess@example.com").await.problem(403, "REAUTH_REQUIRED");
    ada.post("/api/v1/auth/reauthenticate", json!({ "password": PASSWORD })).await.expect(204);
    change(&ada, "countess@example.com").await.expect(202);
}

#[tokio::test]
async fn a_new_request_revokes_the_old_one() {
    let (server, inbox, ada) = ada(&[]).await;
    change(&ada, "one@example.com").await.expect(202);
    let one = inbox.last("send_email_change").await.token;
    change(&ada, "two@example.com").await.expect(202);
    follow(&server.client(), VERIFY, &one).await.problem(410, "LINK_EXPIRED");
    follow(&server.client(), VERIFY, &inbox.last("send_email_change").await.token).await.expect(200);
    assert_eq!(email(&ada).await, "two@example.com");
}

#[tokio::test]
async fn the_address_of_another_account_is_taken() {
    let (server, inbox, ada) = ada(&[]).await;
    person(&server, &inbox, "bob@example.com").await;
    change(&ada, "BOB@example.com").await.problem(409, "EMAIL_TAKEN");
    change(&ada, "no address").await.problem(422, "VALIDATION_FAILED");

    // Taken meanwhile: the link waits until it is free again.
    change(&ada, "eve@example.com").await.expect(202);
    let token = inbox.last("send_email_change").await.token;
    server.client().register("eve@example.com").await;
    follow(&server.client(), VERIFY, &token).await.problem(409, "EMAIL_TAKEN");
    assert_eq!(email(&ada).await, "ada@example.com");
    let database = server.database().await;
    database.execute("UPDATE users SET deleted_at = created_at WHERE email = 'eve@example.com'").await;
    follow(&server.client(), VERIFY, &token).await.expect(200);
}

#[tokio::test]
async fn with_hidden_accounts_only_an_email_tells_that_it_is_taken() {
    let (server, inbox, ada) = ada(&[("INSULA_HIDE_EXISTING_ACCOUNTS", "true")]).await;
    person(&server, &inbox, "bob@example.com").await;
    let free = change(&ada, "free@example.com").await;
    let taken = change(&ada, "bob@example.com").await;
    assert_eq!((taken.status, taken.outcome()), (202, free.outcome()));
    let kinds = inbox.kinds().await;
    let [.., first, second, third, fourth] = &kinds[..] else { panic!("{kinds:?}") };
    assert_eq!([first, second], ["send_email_change", "send_email_change_notice"]);
    // Her own mailbox sees the same in both cases.
    assert_eq!([third, fourth], ["send_already_registered", "send_email_change_notice"]);
    assert_eq!(inbox.last("send_already_registered").await.to, "bob@example.com");
}

#[tokio::test]
async fn the_link_to_the_old_address_restores_the_account() {
    let (server, inbox, ada) = ada(&[]).await;
    change(&ada, "eve@example.com").await.expect(202);
    let undo = inbox.last("send_email_change_notice").await.token;
    follow(&server.client(), VERIFY, &undo).await.problem(410, "LINK_EXPIRED");
    follow(&server.client(), VERIFY, &inbox.last("send_email_change").await.token).await.expect(200);
    // The attacker changes it again and requests a password reset.
    change(&ada, "eve2@example.com").await.expect(202);
    let second_undo = inbox.last("send_email_change_notice").await.token;
    let pending = inbox.last("send_email_change").await.token;
    server
        .client()
        .post("/api/v1/auth/password/forgot", json!({ "email": "eve@example.com" }))
        .await
        .expect(202);
    let reset = inbox.last("send_password_reset").await.token;
    // The address that was left is kept for its owner.
    let squat = json!({ "email": "ada@example.com", "password": PASSWORD });
    server.client().post(REGISTER, squat).await.problem(409, "EMAIL_TAKEN");

    let followed = follow(&server.client(), UNDO, &undo).await.expect(200);
    assert_eq!(followed["email"], "ada@example.com");
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
    for email in ["ada@example.com", "eve@example.com"] {
        assert_eq!(log_in(&server, email, PASSWORD).await, 401);
    }
    for (path, token) in [(UNDO, &undo), (UNDO, &second_undo), (VERIFY, &pending)] {
        follow(&server.client(), path, token).await.problem(410, "LINK_EXPIRED");
    }
    let with = |token: &Value| json!({ "token": token, "password": NEW });
    server.client().post(RESET, with(&json!(reset))).await.problem(410, "LINK_EXPIRED");
    server.client().post(RESET, with(&followed["password_reset_token"])).await.expect(200);
    assert_eq!(log_in(&server, "ada@example.com", NEW).await, 200);
}

#[tokio::test]
async fn what_is_not_confirmed_yet_can_be_undone_too() {
    let (server, inbox, ada) = ada(&[]).await;
    change(&ada, "eve@example.com").await.expect(202);
    let confirm = inbox.last("send_email_change").await.token;
    follow(&server.client(), UNDO, &confirm).await.problem(410, "LINK_EXPIRED");
    follow(&server.client(), UNDO, &inbox.last("send_email_change_notice").await.token).await.expect(200);
    follow(&server.client(), VERIFY, &confirm).await.problem(410, "LINK_EXPIRED");
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn links_of_a_change_expire() {
    let (server, inbox, ada) = ada(&[]).await;
    change(&ada, "eve@example.com").await.expect(202);
    let confirm = inbox.last("send_email_change").await.token;
    let undo = inbox.last("send_email_change_notice").await.token;
    server.database().await.execute("UPDATE one_time_tokens SET expires_at = created_at").await;
    follow(&server.client(), VERIFY, &confirm).await.problem(410, "LINK_EXPIRED");
    follow(&server.client(), UNDO, &undo).await.problem(410, "LINK_EXPIRED");
    assert_eq!(email(&ada).await, "ada@example.com");
}

#[tokio::test]
async fn without_a_mail_server_it_changes_at_once() {
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    server.client().register("bob@example.com").await;
    change(&ada, "bob@example.com").await.problem(409, "EMAIL_TAKEN");
    let changed = change(&ada, "countess@example.com").await.expect(200);
    assert_eq!(changed["email"], "countess@example.com");
    assert_eq!(email(&ada).await, "countess@example.com");
    assert_eq!(log_in(&server, "countess@example.com", PASSWORD).await, 200);
}
