//! Steps of users with their own accounts, with e-mail and hidden accounts.

use insula_tests::{Builder, Client, Inbox, PASSWORD};
use serde_json::{Value, json};

use super::walk::{Walk, text};

const ADA: &str = "ada@example.com";
const NEW: &str = "Violet-harbour-92-lamp";
const NEWER: &str = "Copper-orchard-58-tide";

fn person(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password })
}

fn by(token: &str) -> Value {
    json!({ "token": token })
}

pub(crate) async fn walk(server: Builder) -> Walk {
    let server = server.with_mail().env("INSULA_HIDE_EXISTING_ACCOUNTS", "true");
    let server = server.env("INSULA_MAX_SESSIONS", "3").start().await;
    let (anybody, inbox) = (server.client(), Inbox::of(&server).await);
    let mut walk = Walk::through(&server).await;

    let ada =
        json!({ "email": ADA, "password": PASSWORD, "first_name": "Augusta", "username": "enchantress" });
    walk.step(&anybody, "register", &[], ada).await;
    walk.step(&anybody, "resendVerification", &[], json!({ "email": ADA })).await;
    // With hidden accounts, a login needs a verified address: the sessions are older than that setting.
    let verified = |value: &str| format!("UPDATE users SET email_verified_at = {value}");
    walk.database().execute(&verified("created_at")).await;
    let session = walk.step(&anybody, "logIn", &[], person(ADA, PASSWORD)).await;
    walk.database().execute(&verified("NULL")).await;
    let ada = anybody.bearer(&text(&session, "access_token"));
    walk.step(&ada, "verifyEmail", &[], by(&inbox.last("send_verification").await.token)).await;
    walk.step(&anybody, "register.known", &[], person(ADA, PASSWORD)).await;
    // What is not there cannot be asked for.
    walk.again(&anybody, "resendVerification", &[], json!({ "email": "nobody@example.com" })).await;

    // Bob verifies the e-mail address elsewhere, so the creator of the account loses access.
    anybody.post("/api/v1/auth/register", person("bob@example.com", PASSWORD)).await.expect(202);
    walk.database().execute(&verified("created_at")).await;
    anybody.log_in("bob@example.com", PASSWORD).await;
    let bobs = verified("NULL") + " WHERE email = 'bob@example.com'";
    walk.database().execute(&bobs).await;
    let link = inbox.last("send_verification").await.token;
    let elsewhere = json!({ "token": link, "new_password": NEW });
    walk.step(&anybody, "verifyEmail.elsewhere", &[], elsewhere).await;

    sessions(&mut walk, &anybody, &ada, &session).await;
    let ada = passwords(&mut walk, &anybody, &inbox, &ada).await;
    addresses(&mut walk, &anybody, &inbox, &ada).await;
    walk.finish(server).await
}

/// Leaves one session of Ada.
async fn sessions(walk: &mut Walk, anybody: &Client, ada: &Client, session: &Value) {
    let refresh = json!({ "refresh_token": session["refresh_token"] });
    walk.step(anybody, "refresh", &[], refresh).await;
    walk.step(ada, "reauthenticate", &[], json!({ "password": PASSWORD })).await;
    let changes = json!({ "locale": "en-GB", "timezone": "Europe/London", "last_name": "Lovelace" });
    walk.step(ada, "updateMe", &[], changes).await;

    let other = anybody.post("/api/v1/auth/login", person(ADA, PASSWORD)).await.expect(200);
    walk.step(ada, "revokeMySession", &[&text(&other, "session_id")], Value::Null).await;
    for _ in 0..2 {
        anybody.log_in(ADA, PASSWORD).await;
    }
    walk.step(ada, "revokeMyOtherSessions", &[], Value::Null).await;
    walk.again(ada, "revokeMyOtherSessions", &[], Value::Null).await;
}

/// Returns Ada's only session.
async fn passwords(walk: &mut Walk, anybody: &Client, inbox: &Inbox, ada: &Client) -> Client {
    anybody.log_in(ADA, PASSWORD).await;
    let passwords = json!({ "current_password": PASSWORD, "password": NEW });
    walk.step(ada, "changeMyPassword", &[], passwords).await;

    for _ in 0..2 {
        anybody.log_in(ADA, NEW).await;
    }
    walk.step(anybody, "logIn.one-too-many", &[], person(ADA, NEW)).await;
    walk.step(anybody, "forgotPassword", &[], json!({ "email": ADA })).await;
    walk.again(anybody, "forgotPassword", &[], json!({ "email": "nobody@example.com" })).await;
    let link = inbox.last("send_password_reset").await.token;
    walk.step(anybody, "resetPassword", &[], json!({ "token": link, "password": NEWER })).await;
    anybody.log_in(ADA, NEWER).await
}

/// Ends with Ada's account.
async fn addresses(walk: &mut Walk, anybody: &Client, inbox: &Inbox, ada: &Client) {
    walk.step(ada, "changeMyEmail", &[], json!({ "email": "countess@example.com" })).await;
    let link = inbox.last("send_email_change").await.token;
    walk.step(anybody, "verifyEmail.another", &[], by(&link)).await;
    let link = inbox.last("send_email_change_notice").await.token;
    let undone = walk.step(anybody, "undoEmailChange", &[], by(&link)).await;
    let reset = json!({ "token": undone["password_reset_token"], "password": PASSWORD });
    walk.step(anybody, "resetPassword.signed-out", &[], reset).await;

    let ada = anybody.log_in(ADA, PASSWORD).await;
    walk.step(&ada, "logOut", &[], Value::Null).await;
    let (ada, _) = (anybody.log_in(ADA, PASSWORD).await, anybody.log_in(ADA, PASSWORD).await);
    walk.step(&ada, "logOutEverywhere", &[], Value::Null).await;
    let (ada, _) = (anybody.log_in(ADA, PASSWORD).await, anybody.log_in(ADA, PASSWORD).await);
    walk.step(&ada, "deleteMe", &[], Value::Null).await;
}
