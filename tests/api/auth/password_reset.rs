//! Password reset with an e-mailed link.

use insula_tests::{Inbox, PASSWORD, Reply, Server, SharedServer, concurrently, unique};
use serde_json::json;

const FORGOT: &str = "/api/v1/auth/password/forgot";
const RESET: &str = "/api/v1/auth/password/reset";
const LOG_IN: &str = "/api/v1/auth/login";
const ME: &str = "/api/v1/users/me";
const NEW: &str = "Violet-harbour-92-lamp";

async fn start() -> (SharedServer, Inbox) {
    let server = Server::shared_with_mail().await;
    let inbox = Inbox::own(&server).await;
    (server, inbox)
}

async fn forgot(server: &Server, email: &str) -> Reply {
    server.client().post(FORGOT, json!({ "email": email })).await
}

async fn reset(server: &Server, token: &str, password: &str) -> Reply {
    server.client().post(RESET, json!({ "token": token, "password": password })).await
}

async fn log_in(server: &SharedServer, password: &str) -> Reply {
    server.client().post(LOG_IN, json!({ "email": server.email("ada"), "password": password })).await
}

#[tokio::test]
async fn an_emailed_link_sets_a_new_password_once_and_revokes_all_sessions() {
    let (server, inbox) = start().await;
    let phone = server.register("ada").await;
    let laptop = server.client().log_in(&server.email("ada"), PASSWORD).await;
    let eve = server.register("eve").await;
    forgot(&server, &server.email("ADA")).await.expect(202);
    let mail = inbox.last("send_password_reset").await;
    // The e-mail goes to the address of the account: the requested spelling may belong to another user.
    assert_eq!(mail.to, server.email("ada"));

    let done = reset(&server, &mail.token, NEW).await.expect(200);
    assert_eq!(done, json!({ "email": server.email("ada"), "password_reset_token": null }));
    for session in [&phone, &laptop] {
        session.get(ME).await.problem(401, "INVALID_TOKEN");
    }
    eve.get(ME).await.expect(200);
    log_in(&server, PASSWORD).await.problem(401, "INVALID_CREDENTIALS");
    log_in(&server, NEW).await.expect(200);
    reset(&server, &mail.token, PASSWORD).await.problem(410, "LINK_EXPIRED");
    log_in(&server, NEW).await.expect(200);
    assert_eq!(inbox.last("send_password_changed").await.to, server.email("ada"));
    let hash = "SELECT count(*) FROM credentials WHERE secret_hash NOT LIKE '$argon2id$%' AND user_id IN";
    assert_eq!(server.database().await.scalar(&format!("{hash} {}", server.own_users())).await, 0);
}

#[tokio::test]
async fn the_answer_does_not_tell_whether_there_is_an_account() {
    let (server, inbox) = start().await;
    server.register("ada").await;
    server.register("bob").await;
    server.register("eve").await;
    let database = server.database().await;
    let update = |change: &str, name: &str| {
        format!("UPDATE users SET {change} WHERE email = '{}'", server.email(name))
    };
    database.execute(&update("is_active = false", "bob")).await;
    database.execute(&update("deleted_at = created_at", "eve")).await;
    let known = forgot(&server, &server.email("ada")).await;
    let names = |reply: &Reply| -> Vec<String> { reply.headers.keys().map(ToString::to_string).collect() };
    for email in ["nobody", "bob", "eve"].map(|name| server.email(name)) {
        let unknown = forgot(&server, &email).await;
        assert_eq!((unknown.outcome(), names(&unknown)), (known.outcome(), names(&known)), "{email}");
    }
    assert_eq!(known.status, 202);
    let mails = inbox.mails().await.into_iter().filter(|mail| mail.kind == "send_password_reset");
    assert_eq!(mails.map(|mail| mail.to).collect::<Vec<_>>(), [server.email("ada")]);
    assert_eq!(forgot(&server, "no address").await.faults(), ["email INVALID_FORMAT"]);
}

#[tokio::test]
async fn one_of_concurrent_resets_succeeds() {
    let (server, inbox) = start().await;
    server.register("ada").await;
    forgot(&server, &server.email("ada")).await.expect(202);
    let token = inbox.last("send_password_reset").await.token;
    let outcomes = concurrently(16, |number| {
        let (anybody, token) = (server.client(), token.clone());
        let password = format!("{NEW}-{number}");
        // Few passwords can be hashed concurrently; refused requests are repeated.
        async move {
            loop {
                let body = json!({ "token": token, "password": password });
                match anybody.post(RESET, body).await.status {
                    503 => {}
                    status => return (status, password),
                }
            }
        }
    });
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.await.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!((won.len(), lost.len()), (1, 15));
    assert!(lost.iter().all(|(status, _)| *status == 410), "{lost:?}");
    log_in(&server, &won[0].1).await.expect(200);
}

#[tokio::test]
async fn a_password_that_is_refused_does_not_use_up_the_link() {
    let (server, inbox) = start().await;
    let username = unique("countess");
    let person = json!({ "email": server.email("ada"), "password": PASSWORD, "username": username });
    server.client().post("/api/v1/auth/register", person).await.expect(201);
    forgot(&server, &server.email("ada")).await.expect(202);
    let token = inbox.last("send_password_reset").await.token;
    for weak in ["password123", &*server.email("ada"), &format!("{username}1")] {
        let reply = reset(&server, &token, weak).await;
        reply.problem(422, "WEAK_PASSWORD");
        assert!(reply.faults()[0].starts_with("password "), "{weak}: {:?}", reply.faults());
    }
    reset(&server, &token, "short").await.problem(422, "VALIDATION_FAILED");
    log_in(&server, PASSWORD).await.expect(200);
    reset(&server, &token, NEW).await.expect(200);
}

#[tokio::test]
async fn a_link_expires_and_the_next_one_revokes_it() {
    let (server, inbox) = start().await;
    server.register("ada").await;
    forgot(&server, &server.email("ada")).await.expect(202);
    let late = inbox.last("send_password_reset").await.token;
    let expire = "UPDATE one_time_tokens SET expires_at = created_at WHERE email";
    server.database().await.execute(&format!("{expire} LIKE '{}'", server.email("%"))).await;
    reset(&server, &late, NEW).await.problem(410, "LINK_EXPIRED");

    forgot(&server, &server.email("ada")).await.expect(202);
    let old = inbox.last("send_password_reset").await.token;
    forgot(&server, &server.email("ada")).await.expect(202);
    reset(&server, &old, NEW).await.problem(410, "LINK_EXPIRED");
    reset(&server, &inbox.last("send_password_reset").await.token, NEW).await.expect(200);
}

#[tokio::test]
async fn a_reset_verifies_the_address_and_revokes_earlier_access() {
    let (server, inbox) = start().await;
    let attacker = server.register("ada").await;
    let verification = inbox.last("send_verification").await.token;
    forgot(&server, &server.email("ada")).await.expect(202);
    reset(&server, &inbox.last("send_password_reset").await.token, NEW).await.expect(200);

    attacker.get(ME).await.problem(401, "INVALID_TOKEN");
    log_in(&server, PASSWORD).await.problem(401, "INVALID_CREDENTIALS");
    server.client().log_in(&server.email("ada"), NEW).await.create_organization(&unique("acme")).await;
    let late = server.client().post("/api/v1/auth/email/verify", json!({ "token": verification })).await;
    late.problem(410, "LINK_EXPIRED");
    assert_eq!(
        inbox.kinds().await,
        ["send_verification", "send_password_reset", "send_password_changed", "send_welcome"]
    );
}

#[tokio::test]
async fn a_reset_cancels_an_unconfirmed_change_of_address() {
    let (server, inbox) = start().await;
    let ada = server.register("ada").await;
    let verify = async |token: String| {
        server.client().post("/api/v1/auth/email/verify", json!({ "token": token })).await
    };
    let body = json!({ "token": inbox.last("send_verification").await.token });
    ada.post("/api/v1/auth/email/verify", body).await.expect(200);
    // Requested with her stolen session.
    ada.post("/api/v1/users/me/email", json!({ "email": server.email("eve") })).await.expect(202);
    let change = inbox.last("send_email_change").await.token;
    forgot(&server, &server.email("ada")).await.expect(202);
    reset(&server, &inbox.last("send_password_reset").await.token, NEW).await.expect(200);
    verify(change).await.problem(410, "LINK_EXPIRED");
    log_in(&server, NEW).await.expect(200);
}

#[tokio::test]
async fn a_changed_password_revokes_earlier_links() {
    let (server, inbox) = start().await;
    let ada = server.register("ada").await;
    let verification = json!({ "token": inbox.last("send_verification").await.token });
    ada.post("/api/v1/auth/email/verify", verification).await.expect(200);
    forgot(&server, &server.email("ada")).await.expect(202);
    let token = inbox.last("send_password_reset").await.token;
    let change = json!({ "current_password": PASSWORD, "password": NEW });
    ada.put("/api/v1/users/me/password", change).await.expect(200);
    reset(&server, &token, PASSWORD).await.problem(410, "LINK_EXPIRED");
    log_in(&server, NEW).await.expect(200);
}

#[tokio::test]
async fn a_deactivated_user_cannot_use_a_link() {
    let (server, inbox) = start().await;
    let superuser = server.superuser().await;
    let ada = server.register("ada").await;
    let path = format!("/api/v1/admin/users/{}", ada.get(ME).await.expect(200)["id"].as_str().unwrap());
    forgot(&server, &server.email("ada")).await.expect(202);
    let mail = inbox.last("send_password_reset").await;
    superuser.request("POST", &format!("{path}/deactivate")).await.expect(200);
    reset(&server, &mail.token, NEW).await.problem(410, "LINK_EXPIRED");
    // Also not after reactivation: an attacker may have requested it.
    superuser.request("POST", &format!("{path}/activate")).await.expect(200);
    reset(&server, &mail.token, NEW).await.problem(410, "LINK_EXPIRED");
    log_in(&server, PASSWORD).await.expect(200);
}
