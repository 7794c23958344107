//! E-mail verification: once, in time, and only with the link; and what unverified accounts can do.

use std::{collections::BTreeSet, process::Stdio};

use insula_tests::{
    Client, Inbox, Operation, PASSWORD, Reply, Server, SharedServer, TestEnv, concurrently, eventually,
    unique,
};
use serde_json::{Value, json};

const REGISTER: &str = "/api/v1/auth/register";
const VERIFY: &str = "/api/v1/auth/email/verify";
const RESEND: &str = "/api/v1/auth/email/resend";
const ME: &str = "/api/v1/users/me";
const ORGANIZATIONS: &str = "/api/v1/organizations";

/// Operations that unverified users may call.
const ALLOWED: [&str; 9] = [
    "deleteMe",
    "getCsrfToken",
    "getMe",
    "listMySessions",
    "logOut",
    "logOutEverywhere",
    "revokeMyOtherSessions",
    "revokeMySession",
    "updateMe",
];

async fn start() -> (SharedServer, Inbox) {
    let server = Server::shared_with_mail().await;
    let inbox = Inbox::own(&server).await;
    (server, inbox)
}

async fn start_alone(settings: &[(&str, &str)]) -> (Server, Inbox) {
    let start = Server::builder().with_mail();
    let start = settings.iter().fold(start, |start, (name, value)| start.env(name, value));
    let server = start.start().await;
    let inbox = Inbox::of(&server).await;
    (server, inbox)
}

async fn verify(client: &Client, token: &str) -> Reply {
    client.post(VERIFY, json!({ "token": token })).await
}

/// The parts of an answer that must not depend on the account: everything except the request id and the time.
fn answer_of(reply: &Reply) -> (u16, Value, Vec<(String, String)>) {
    let (status, body) = reply.outcome();
    let names = reply.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    (status, body, names.map(text).collect())
}

#[tokio::test]
async fn a_new_account_waits_for_its_address_to_be_verified() {
    let (server, inbox) = start().await;
    let person = json!({ "email": server.email("Ada"), "password": PASSWORD });
    let made = server.client().post(REGISTER, person).await.expect(201);
    assert_eq!(made["email_verified_at"], Value::Null);
    let mails = inbox.mails().await;
    assert_eq!(
        (mails.len(), &*mails[0].kind, &*mails[0].to),
        (1, "send_verification", &*server.email("Ada"))
    );

    let ada = server.client().log_in(&server.email("ada"), PASSWORD).await;
    ada.post(ORGANIZATIONS, json!({})).await.problem(403, "EMAIL_UNVERIFIED");
    let followed = verify(&ada, &mails[0].token).await.expect(200);
    assert_eq!(followed, json!({ "email": server.email("Ada"), "password_reset_token": null }));
    assert!(ada.get(ME).await.expect(200)["email_verified_at"].is_string());
    ada.create_organization(&unique("acme")).await;
    server.client().log_in(&server.email("ada"), PASSWORD).await;
    assert_eq!(inbox.kinds().await, ["send_verification", "send_welcome"]);
    verify(&ada, &mails[0].token).await.problem(410, "LINK_EXPIRED");
}

#[tokio::test]
async fn an_unverified_account_may_do_nothing_but_look_at_itself_and_leave() {
    let (server, _) = start().await;
    let document = server.client().get("/api/v1/openapi.json").await.expect(200);
    let mut allowed = BTreeSet::new();
    for operation in Operation::all(&document).iter().filter(|operation| operation.needs_token) {
        // Each by somebody new: some end the session, one the account. What is not there, or not sound, would be refused
        // later.
        let ada = server.register(&operation.id).await;
        let path = operation.path_with(|_| "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091".to_owned());
        let reply = operation.broken_request(&ada, &path).await;
        match [200, 202, 204, 400, 404].contains(&reply.status) {
            true => drop(allowed.insert(operation.id.clone())),
            false => drop(reply.problem(403, "EMAIL_UNVERIFIED")),
        }
    }
    assert_eq!(allowed, ALLOWED.map(str::to_owned).into());
}

#[tokio::test]
async fn a_link_works_once_for_concurrent_requests() {
    let (server, inbox) = start().await;
    let ada = server.register("ada").await;
    let token = inbox.last("send_verification").await.token;
    let replies = concurrently(16, |_| {
        let (ada, token) = (ada.clone(), token.clone());
        async move { verify(&ada, &token).await.status }
    });
    let mut statuses = replies.await;
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200][..], &[410; 15]].concat());
    let database = server.database().await;
    let events = "SELECT count(*) FROM audit_events WHERE action = 'user.email_verified' AND actor_id IN";
    assert_eq!(database.scalar(&format!("{events} {}", server.own_users())).await, 1);
}

#[tokio::test]
async fn invalid_and_used_links_get_the_same_answer() {
    let (server, inbox) = start().await;
    let ada = server.register("ada").await;
    let good = inbox.last("send_verification").await.token;
    ada.post("/api/v1/auth/password/forgot", json!({ "email": server.email("ada") })).await.expect(202);
    let other = inbox.last("send_password_reset").await.token;
    let altered = format!("{}{}", &good[..63], if good.ends_with('A') { "B" } else { "A" });
    let mut answers = Vec::new();
    for token in [&*other, &altered, &good[..63], "x", "' OR 1=1 --", &"A".repeat(64), "ä"] {
        answers.push(answer_of(&verify(&server.client(), token).await));
    }
    verify(&ada, &good).await.expect(200);
    let used = verify(&server.client(), &good).await;
    used.problem(410, "LINK_EXPIRED");
    assert!(answers.iter().all(|answer| *answer == answer_of(&used)), "{answers:#?}");
    // An invalid session is reported; otherwise the password would be lost without need.
    verify(&ada.bearer("x"), &good).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_link_expires_and_its_row_goes() {
    let (server, inbox) = start_alone(&[]).await;
    let ada = server.client().register("ada@example.com").await;
    let token = inbox.last("send_verification").await.token;
    server.database().await.execute("UPDATE one_time_tokens SET expires_at = created_at").await;
    verify(&ada, &token).await.problem(410, "LINK_EXPIRED");
    ada.post(ORGANIZATIONS, json!({})).await.problem(403, "EMAIL_UNVERIFIED");
    let database = server.database().await;
    database.make_due("expire-tokens").await;
    let gone = async || database.scalar("SELECT count(*) FROM one_time_tokens").await == 0;
    eventually("the expired token is gone", gone).await;
    verify(&ada, &token).await.problem(410, "LINK_EXPIRED");
}

#[tokio::test]
async fn the_setting_limits_the_validity_of_a_link() {
    let (server, _) = start_alone(&[("INSULA_RESET_TTL", "1234")]).await;
    server.client().register("ada@example.com").await;
    server
        .client()
        .post("/api/v1/auth/password/forgot", json!({ "email": "ada@example.com" }))
        .await
        .expect(202);
    let database = server.database().await;
    for (purpose, seconds) in [("verify", 86_400), ("reset", 1234)] {
        let of = format!("FROM one_time_tokens WHERE purpose = '{purpose}'");
        let lived = match server.test_env().is_postgres() {
            true => format!("SELECT extract(epoch FROM expires_at - created_at)::bigint {of}"),
            false => format!(
                "SELECT CAST(round((julianday(expires_at) - julianday(created_at)) * 86400) AS INTEGER) {of}"
            ),
        };
        assert_eq!(database.scalar(&lived).await, seconds, "{purpose}");
    }
}

#[tokio::test]
async fn a_new_link_revokes_the_old_one_and_the_answer_does_not_tell() {
    let (server, inbox) = start().await;
    let ada = server.register("ada").await;
    let old = inbox.last("send_verification").await.token;
    let resend =
        async |email: &str| answer_of(&server.client().post(RESEND, json!({ "email": email })).await);
    let unverified = resend(&server.email("ADA")).await;
    assert_eq!(unverified.0, 202);
    let new = inbox.last("send_verification").await.token;
    verify(&ada, &old).await.problem(410, "LINK_EXPIRED");
    verify(&ada, &new).await.expect(200);
    let mails = inbox.kinds().await;
    for name in ["ada", "nobody"] {
        assert_eq!(resend(&server.email(name)).await, unverified, "{name}");
    }
    assert_eq!(inbox.kinds().await, mails);
}

#[tokio::test]
async fn nothing_that_is_stored_or_logged_can_be_used_as_a_link() {
    let (server, inbox) = start_alone(&[]).await;
    let anybody = server.client().with("host", "evil.example").with("x-forwarded-host", "evil.example");
    let ada = anybody.register("ada@example.com").await;
    anybody.post("/api/v1/auth/password/forgot", json!({ "email": "ada@example.com" })).await.expect(202);
    let tokens = [inbox.last("send_verification").await.token, inbox.last("send_password_reset").await.token];
    let database = server.database().await;
    let mut texts =
        database.texts("SELECT details || action || coalesce(resource_id, '') FROM audit_events").await;
    texts.extend(database.texts("SELECT kind || payload || actor FROM outbox").await);
    texts.extend(database.texts("SELECT email || purpose FROM one_time_tokens").await);
    for token in &tokens {
        // Neither in text nor, on SQLite, anywhere in the file.
        assert!(!texts.iter().any(|text| text.contains(&**token) || text.contains("evil")), "{texts:?}");
        assert!(!server.log().contains(&**token));
        for file in ["insula.db", "insula.db-wal"] {
            let bytes = std::fs::read(server.test_env().folder().join(file)).unwrap_or_default();
            assert!(!bytes.windows(token.len()).any(|part| part == token.as_bytes()), "{file}");
        }
    }
    assert!(!texts[..texts.len() - 2].iter().any(|text| text.contains("example.com")), "{texts:?}");
    assert!(!server.log().contains("hunter2"));
    verify(&ada, &tokens[0]).await.expect(200);
}

#[tokio::test]
async fn without_a_mail_server_accounts_are_verified_at_registration() {
    let server = Server::shared().await;
    let ada = server.register("ada").await;
    assert!(ada.get(ME).await.expect(200)["email_verified_at"].is_string());
    let slug = ada.create_organization(&unique("acme")).await.slug;
    // Users keep access when e-mail is switched off later.
    let unverify = format!("UPDATE users SET email_verified_at = NULL WHERE id IN {}", server.own_users());
    server.database().await.execute(&unverify).await;
    ada.get(&format!("/api/v1/organizations/{slug}")).await.expect(200);
}

#[tokio::test]
async fn a_console_can_ask_how_accounts_work() {
    let config = |mail: bool, hide: bool| {
        json!({
            "mail": mail, "hide_existing_accounts": hide, "password_min_length": 8, "password_max_length": 128,
            "registration": true, "product_name": "Insula", "logo_path": null, "environment": "development",
            "version": env!("CARGO_PKG_VERSION"), "locales": ["en"], "step_up_ttl": 600,
        })
    };
    let path = "/api/v1/auth/config";
    assert_eq!(Server::shared().await.client().get(path).await.expect(200), config(false, false));
    let (server, _) = start().await;
    assert_eq!(server.client().get(path).await.expect(200), config(true, false));
    let (server, _) = start_alone(&[("INSULA_HIDE_EXISTING_ACCOUNTS", "true")]).await;
    assert_eq!(server.client().get(path).await.expect(200), config(true, true));
}

#[tokio::test]
async fn with_hidden_accounts_only_an_email_tells_that_the_address_is_taken() {
    let (server, inbox) = start_alone(&[("INSULA_HIDE_EXISTING_ACCOUNTS", "true")]).await;
    let register = async |email: &str, username: Option<&str>| {
        let person = json!({ "email": email, "password": PASSWORD, "username": username });
        answer_of(&server.client().post(REGISTER, person).await)
    };
    let new = register("ada@example.com", Some("ada")).await;
    assert_eq!(new.0, 202);
    // Not verified yet: the e-mail address gets the link, and there is no second account.
    assert_eq!(register("ADA@example.com", None).await, new);
    assert_eq!(inbox.kinds().await, ["send_verification", "send_verification"]);
    let link = json!({ "token": inbox.last("send_verification").await.token, "password": PASSWORD });
    server.client().post(VERIFY, link).await.expect(200);
    assert_eq!(register("ada@example.com", None).await, new);
    let answer_of = inbox.last("send_already_registered").await;
    assert_eq!(answer_of.to, "ada@example.com");
    assert_eq!(server.database().await.scalar("SELECT count(*) FROM users").await, 1);
    // The answer does not tell that a username is taken, for known and new addresses.
    assert_eq!(register("ada@example.com", Some("ada")).await, new);
    assert_eq!(register("bob@example.com", Some("ADA")).await, new);

    let replies = concurrently(8, |_| {
        let anybody = server.client();
        async move {
            anybody.post(REGISTER, json!({ "email": "eve@example.com", "password": PASSWORD })).await.status
        }
    });
    // Few passwords can be hashed concurrently; refused requests had no effect.
    let statuses = replies.await;
    assert!(
        statuses.contains(&202) && statuses.iter().all(|status| [202, 503].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(server.database().await.scalar("SELECT count(*) FROM users").await, 3);
}

#[tokio::test]
async fn create_superuser_verifies_the_account_and_promotes_no_unverified_one() {
    let (server, _) = start_alone(&[]).await;
    // Somebody expects the superuser's address.
    let attacker = server.client().register("root@example.com").await;
    let env = server.test_env();
    for email in ["root@example.com", "other@example.com"] {
        let arguments = ["create-superuser", "--email", email, "--password-stdin"];
        let mut command = env.command(&arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"Violet-harbour-92-lamp\n").unwrap();
        assert!(child.wait().unwrap().success());
        let superuser = server.client().log_in(email, "Violet-harbour-92-lamp").await;
        superuser.post(ORGANIZATIONS, json!({})).await.problem(422, "VALIDATION_FAILED");
    }
    attacker.get(ME).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn hidden_accounts_need_a_mail_server() {
    let env = TestEnv::new().await;
    let settings = [("INSULA_HIDE_EXISTING_ACCOUNTS", "true"), ("RUST_LOG", "off")];
    let output = env.insula(&["serve", "--port", "0"], &settings);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{complaint}");
    assert!(complaint.contains("INSULA_HIDE_EXISTING_ACCOUNTS: needs INSULA_SMTP_URL"), "{complaint}");
}
