//! Changing the e-mail address: the new address confirms, the old one can undo.

use insula_tests::{Client, Inbox, PASSWORD, Reply, Server, SharedServer};
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
async fn ada() -> (SharedServer, Inbox, Client) {
    let server = Server::shared_with_mail().await;
    let inbox = Inbox::own(&server).await;
    let ada = person(&server, &inbox, &server.email("ada")).await;
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
    let (server, inbox, ada) = ada().await;
    change(&ada, &server.email("Countess")).await.expect(202);
    assert_eq!(email(&ada).await, server.email("ada"));
    let (confirm, notice) =
        (inbox.last("send_email_change").await, inbox.last("send_email_change_notice").await);
    assert_eq!((confirm.to, notice.to), (server.email("Countess"), server.email("ada")));

    let followed = follow(&server.client(), VERIFY, &confirm.token).await.expect(200);
    assert_eq!(followed, json!({ "email": server.email("Countess"), "password_reset_token": null }));
    assert_eq!(email(&ada).await, server.email("Countess"));
    follow(&server.client(), VERIFY, &confirm.token).await.problem(410, "LINK_EXPIRED");
    assert_eq!(log_in(&server, &server.email("countess"), PASSWORD).await, 200);
    assert_eq!(log_in(&server, &server.email("ada"), PASSWORD).await, 401);
    let details = server.database().await.texts("SELECT details FROM audit_events").await;
    assert!(!details.concat().contains(&server.email("")), "{details:?}");
}

#[tokio::test]
async fn it_needs_a_recent_login() {
    let (server, _, ada) = ada().await;
    server.database().await.backdate_logins(&server.own_users()).await;
    change(&ada, &server.email("countess")).await.problem(403, "REAUTH_REQUIRED");
    ada.post("/api/v1/auth/reauthenticate", json!({ "password": PASSWORD })).await.expect(204);
    change(&ada, &server.email("countess")).await.expect(202);
}

#[tokio::test]
async fn a_new_request_revokes_the_old_one() {
    let (server, inbox, ada) = ada().await;
    change(&ada, &server.email("one")).await.expect(202);
    let one = inbox.last("send_email_change").await.token;
    change(&ada, &server.email("two")).await.expect(202);
    follow(&server.client(), VERIFY, &one).await.problem(410, "LINK_EXPIRED");
    follow(&server.client(), VERIFY, &inbox.last("send_email_change").await.token).await.expect(200);
    assert_eq!(email(&ada).await, server.email("two"));
}

#[tokio::test]
async fn the_address_of_another_account_is_taken() {
    let (server, inbox, ada) = ada().await;
    person(&server, &inbox, &server.email("bob")).await;
    change(&ada, &server.email("BOB")).await.problem(409, "EMAIL_TAKEN");
    change(&ada, "no address").await.problem(422, "VALIDATION_FAILED");

    // Taken meanwhile: the link waits until it is free again.
    change(&ada, &server.email("eve")).await.expect(202);
    let token = inbox.last("send_email_change").await.token;
    server.register("eve").await;
    follow(&server.client(), VERIFY, &token).await.problem(409, "EMAIL_TAKEN");
    assert_eq!(email(&ada).await, server.email("ada"));
    let database = server.database().await;
    let delete = format!("UPDATE users SET deleted_at = created_at WHERE email = '{}'", server.email("eve"));
    database.execute(&delete).await;
    follow(&server.client(), VERIFY, &token).await.expect(200);
}

#[tokio::test]
async fn with_hidden_accounts_only_an_email_tells_that_it_is_taken() {
    let server = Server::builder().with_mail().env("INSULA_HIDE_EXISTING_ACCOUNTS", "true").start().await;
    let inbox = Inbox::of(&server).await;
    let server = SharedServer::from(server);
    let ada = person(&server, &inbox, &server.email("ada")).await;
    person(&server, &inbox, &server.email("bob")).await;
    let free = change(&ada, &server.email("free")).await;
    let taken = change(&ada, &server.email("bob")).await;
    assert_eq!((taken.status, taken.outcome()), (202, free.outcome()));
    let kinds = inbox.kinds().await;
    let [.., first, second, third, fourth] = &kinds[..] else { panic!("{kinds:?}") };
    assert_eq!([first, second], ["send_email_change", "send_email_change_notice"]);
    // Her own mailbox sees the same in both cases.
    assert_eq!([third, fourth], ["send_already_registered", "send_email_change_notice"]);
    assert_eq!(inbox.last("send_already_registered").await.to, server.email("bob"));
}

#[tokio::test]
async fn the_link_to_the_old_address_restores_the_account() {
    let (server, inbox, ada) = ada().await;
    change(&ada, &server.email("eve")).await.expect(202);
    let undo = inbox.last("send_email_change_notice").await.token;
    follow(&server.client(), VERIFY, &undo).await.problem(410, "LINK_EXPIRED");
    follow(&server.client(), VERIFY, &inbox.last("send_email_change").await.token).await.expect(200);
    // The attacker changes it again and requests a password reset.
    change(&ada, &server.email("eve2")).await.expect(202);
    let second_undo = inbox.last("send_email_change_notice").await.token;
    let pending = inbox.last("send_email_change").await.token;
    server
        .client()
        .post("/api/v1/auth/password/forgot", json!({ "email": server.email("eve") }))
        .await
        .expect(202);
    let reset = inbox.last("send_password_reset").await.token;
    // The address that was left is kept for its owner.
    let squat = json!({ "email": server.email("ada"), "password": PASSWORD });
    server.client().post(REGISTER, squat).await.problem(409, "EMAIL_TAKEN");

    let followed = follow(&server.client(), UNDO, &undo).await.expect(200);
    assert_eq!(followed["email"], server.email("ada"));
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
    for name in ["ada", "eve"] {
        assert_eq!(log_in(&server, &server.email(name), PASSWORD).await, 401);
    }
    for (path, token) in [(UNDO, &undo), (UNDO, &second_undo), (VERIFY, &pending)] {
        follow(&server.client(), path, token).await.problem(410, "LINK_EXPIRED");
    }
    let with = |token: &Value| json!({ "token": token, "password": NEW });
    server.client().post(RESET, with(&json!(reset))).await.problem(410, "LINK_EXPIRED");
    server.client().post(RESET, with(&followed["password_reset_token"])).await.expect(200);
    assert_eq!(log_in(&server, &server.email("ada"), NEW).await, 200);
}

#[tokio::test]
async fn what_is_not_confirmed_yet_can_be_undone_too() {
    let (server, inbox, ada) = ada().await;
    change(&ada, &server.email("eve")).await.expect(202);
    let confirm = inbox.last("send_email_change").await.token;
    follow(&server.client(), UNDO, &confirm).await.problem(410, "LINK_EXPIRED");
    follow(&server.client(), UNDO, &inbox.last("send_email_change_notice").await.token).await.expect(200);
    follow(&server.client(), VERIFY, &confirm).await.problem(410, "LINK_EXPIRED");
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn links_of_a_change_expire() {
    let (server, inbox, ada) = ada().await;
    change(&ada, &server.email("eve")).await.expect(202);
    let confirm = inbox.last("send_email_change").await.token;
    let undo = inbox.last("send_email_change_notice").await.token;
    let expire = "UPDATE one_time_tokens SET expires_at = created_at WHERE email";
    server.database().await.execute(&format!("{expire} LIKE '{}'", server.email("%"))).await;
    follow(&server.client(), VERIFY, &confirm).await.problem(410, "LINK_EXPIRED");
    follow(&server.client(), UNDO, &undo).await.problem(410, "LINK_EXPIRED");
    assert_eq!(email(&ada).await, server.email("ada"));
}

#[tokio::test]
async fn without_a_mail_server_it_changes_at_once() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    server.register("bob").await;
    change(&ada, &server.email("bob")).await.problem(409, "EMAIL_TAKEN");
    let changed = change(&ada, &server.email("countess")).await.expect(200);
    assert_eq!(changed["email"], server.email("countess"));
    assert_eq!(email(&ada).await, server.email("countess"));
    assert_eq!(log_in(&server, &server.email("countess"), PASSWORD).await, 200);
}
