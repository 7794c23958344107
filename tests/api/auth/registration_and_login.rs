//! `/auth` and `/users/me`: accounts and sessions, and the inputs they reject.

use insula_tests::{Client, OrgWithOwner, PASSWORD, Server, SharedServer, eventually, unique};
use serde_json::{Value, json};

const REGISTER: &str = "/api/v1/auth/register";
const LOG_IN: &str = "/api/v1/auth/login";
const ME: &str = "/api/v1/users/me";

/// A server that Ada uses.
struct AdasServer {
    server: SharedServer,
    anybody: Client,
    username: String,
}

impl AdasServer {
    async fn start() -> Self {
        Self::on(Server::shared().await)
    }

    fn on(server: SharedServer) -> Self {
        Self { anybody: server.client(), server, username: unique("ada") }
    }

    /// Where Ada has an account.
    async fn with_ada() -> Self {
        let start = Self::start().await;
        start.anybody.post(REGISTER, start.ada()).await.expect(201);
        start
    }

    /// Ada's registration. Its address has capital letters.
    fn ada(&self) -> Value {
        let (email, username) = (self.capital_email(), &self.username);
        json!({ "email": email, "password": PASSWORD, "username": username, "first_name": "Ada", "last_name": "Lovelace" })
    }

    fn email(&self) -> String {
        self.server.email("ada")
    }

    fn capital_email(&self) -> String {
        self.email().replace("ada@", "Ada@").replace("example", "Example")
    }
}

#[tokio::test]
async fn a_new_account_is_active_and_ordinary() {
    let start = AdasServer::start().await;
    let made = start.anybody.post(REGISTER, start.ada()).await;
    let body = made.expect(201);
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    let expected = [
        "created_at",
        "default_organization_id",
        "display_name",
        "email",
        "email_verified_at",
        "first_name",
        "id",
        "is_active",
        "is_superuser",
        "last_login_at",
        "last_name",
        "locale",
        "timezone",
        "updated_at",
        "username",
        "version",
        "week_start",
    ];
    assert_eq!(members, expected);
    assert_eq!((&body["is_active"], &body["is_superuser"]), (&json!(true), &json!(false)));
    assert_eq!((&body["email"], &body["username"]), (&json!(start.capital_email()), &json!(start.username)));
    assert_eq!((&body["first_name"], &body["last_name"]), (&json!("Ada"), &json!("Lovelace")));
    assert_eq!(body["last_login_at"], Value::Null);
    assert_eq!((made.header("location"), made.header("etag")), (Some(ME), Some("\"1\"")));
}

#[tokio::test]
async fn an_account_needs_no_more_than_address_and_password() {
    let server = Server::shared().await;
    let body = json!({ "email": server.email("bob"), "password": PASSWORD });
    let made = server.client().post(REGISTER, body).await.expect(201);
    for optional in ["username", "first_name", "last_name"] {
        assert_eq!(made[optional], Value::Null);
    }
}

#[tokio::test]
async fn an_address_belongs_to_one_account_however_it_is_spelled() {
    let start = AdasServer::with_ada().await;
    for same in [
        start.capital_email(),
        start.email().to_uppercase(),
        format!("  {} ", start.email()),
        start.email().replace("example", "ｅｘａｍｐｌｅ"),
        start.email().replace("example.", "EXAMPLE。"),
    ] {
        let again = json!({ "email": same, "password": PASSWORD });
        start.anybody.post(REGISTER, again).await.problem(409, "EMAIL_TAKEN");
    }
    // A full-width @ is none.
    let wide = json!({ "email": start.email().replace('@', "＠"), "password": PASSWORD });
    let reply = start.anybody.post(REGISTER, wide).await;
    assert_eq!((reply.status, reply.faults()), (422, vec!["email INVALID_FORMAT".to_owned()]));
}

#[tokio::test]
async fn a_second_registration_says_that_the_address_is_taken() {
    let start = AdasServer::on(Server::start().await.into());
    start.anybody.post(REGISTER, start.ada()).await.expect(201);
    start.anybody.post(REGISTER, start.ada()).await.problem(409, "EMAIL_TAKEN");
    let database = start.server.database().await;
    for table in ["users", "credentials", "organizations", "outbox"] {
        assert_eq!(database.scalar(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
}

#[tokio::test]
async fn a_username_belongs_to_one_account_without_regard_to_case() {
    let start = AdasServer::with_ada().await;
    let name = &start.username;
    for same in [name, &name.to_uppercase(), &name.replace("ada", "Ada")] {
        let other = json!({ "email": start.server.email("bob"), "password": PASSWORD, "username": same });
        start.anybody.post(REGISTER, other).await.problem(409, "USERNAME_TAKEN");
    }
}

#[tokio::test]
async fn users_cannot_set_protected_fields() {
    let start = AdasServer::with_ada().await;
    for (field, value) in [
        ("is_superuser", json!(true)),
        ("is_active", json!(true)),
        ("email_verified_at", json!("2026-01-01T00:00:00Z")),
        ("id", json!("0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091")),
        ("version", json!(7)),
        ("last_login_at", json!(null)),
    ] {
        let mut body = json!({ "email": start.server.email("eve"), "password": PASSWORD });
        body[field] = value;
        let reply = start.anybody.post(REGISTER, body).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [format!("{field} UNKNOWN_FIELD")]);
    }
    let accounts = format!("SELECT count(*) FROM users WHERE id IN {}", start.server.own_users());
    assert_eq!(start.server.database().await.scalar(&accounts).await, 1);
}

#[tokio::test]
async fn a_login_takes_the_address_or_the_username() {
    let start = AdasServer::with_ada().await;
    let capitals = start.email().to_uppercase().replace("EXAMPLE", "example");
    for (by, names) in [
        ("email", vec![start.email(), format!(" {capitals} ")]),
        ("username", vec![start.username.clone(), start.username.to_uppercase()]),
    ] {
        for name in names {
            let who = json!({ by: name, "password": PASSWORD });
            let session = start.anybody.post(LOG_IN, who).await.expect(200);
            assert_eq!(session["user"]["email"], start.capital_email());
        }
    }
}

#[tokio::test]
async fn a_login_returns_a_token_and_its_user() {
    let start = AdasServer::with_ada().await;
    let (anybody, who) = (&start.anybody, json!({ "username": start.username, "password": PASSWORD }));
    let session = anybody.post(LOG_IN, who.clone()).await.expect(200);
    assert_eq!((&session["token_type"], &session["expires_in"]), (&json!("bearer"), &json!(900)));
    assert!(session["user"]["last_login_at"].is_string());
    let me = anybody.bearer(session["access_token"].as_str().unwrap()).get(ME).await;
    assert_eq!(me.expect(200), session["user"]);
    assert_eq!(me.header("etag"), Some("\"1\""), "to log in is no change of the account");
    let other = anybody.post(LOG_IN, who).await.expect(200);
    assert_ne!(other["session_id"], session["session_id"]);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let start = AdasServer::with_ada().await;
    let mut answers = Vec::new();
    for who in [
        json!({ "email": start.email(), "password": "wrong" }),
        json!({ "email": start.email(), "password": format!("{PASSWORD} ") }),
        json!({ "username": start.username, "password": "wrong" }),
        json!({ "email": start.server.email("nobody"), "password": PASSWORD }),
        json!({ "username": "nobody", "password": PASSWORD }),
        json!({ "email": "no address", "password": PASSWORD }),
        json!({ "username": "' OR 1=1 --", "password": PASSWORD }),
    ] {
        let reply = start.anybody.post(LOG_IN, who).await;
        let problem = reply.problem(401, "INVALID_CREDENTIALS");
        let sentence = "Invalid email or password. Please check your credentials and try again.";
        assert_eq!(problem["message"], sentence);
        answers.push((reply.outcome(), reply.header("www-authenticate").map(str::to_owned)));
    }
    assert!(answers.iter().all(|other| *other == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn a_login_takes_only_one_name() {
    let start = AdasServer::with_ada().await;
    for who in [
        json!({ "email": start.email(), "username": start.username, "password": PASSWORD }),
        json!({ "password": PASSWORD }),
        json!({ "email": null, "username": null, "password": PASSWORD }),
    ] {
        start.anybody.post(LOG_IN, who).await.problem(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn a_password_is_kept_as_an_argon2id_hash() {
    let server = Server::builder().env("INSULA_PASSWORD_MEMORY", "19456").start().await;
    server.client().register("ada@example.com").await;
    let database = server.database().await;
    let hash = database.text("SELECT secret_hash FROM credentials").await;
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert_eq!(hash.matches('$').count(), 5, "{hash}");
}

#[tokio::test]
async fn a_deactivated_account_has_no_access_at_once() {
    let server = OrgWithOwner::start().await;
    let ada = &server.owner;
    let deactivate = format!("UPDATE users SET is_active = false WHERE id IN {}", server.own_users());
    server.database().await.execute(&deactivate).await;
    for path in [ME, "/api/v1/organizations/{org}"] {
        ada.get(path).await.problem(401, "INVALID_TOKEN");
    }
    let log_in = |password: &str| json!({ "email": server.email("ada"), "password": password });
    server.client().post(LOG_IN, log_in(PASSWORD)).await.problem(403, "INACTIVE_USER");
    server.client().post(LOG_IN, log_in("wrong")).await.problem(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn a_deleted_account_is_none_and_frees_its_names() {
    let start = AdasServer::with_ada().await;
    let anybody = &start.anybody;
    let token = anybody.log_in(&start.email(), PASSWORD).await;
    let delete =
        format!("UPDATE users SET deleted_at = created_at WHERE email = '{}'", start.capital_email());
    assert_eq!(start.server.database().await.execute(&delete).await, 1);
    token.get(ME).await.problem(401, "INVALID_TOKEN");
    let log_in = json!({ "username": start.username, "password": PASSWORD });
    anybody.post(LOG_IN, log_in.clone()).await.problem(401, "INVALID_CREDENTIALS");
    let heir = anybody.post(REGISTER, start.ada()).await.expect(201);
    assert_eq!(anybody.post(LOG_IN, log_in).await.expect(200)["user"]["id"], heir["id"]);
    token.get(ME).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn an_ended_session_has_no_access() {
    for end in ["revoked_at = created_at", "expires_at = created_at"] {
        let server = OrgWithOwner::start().await;
        let ada = &server.owner;
        let elsewhere = server.client().log_in(&server.email("ada"), PASSWORD).await;
        let (database, own) = (server.database().await, format!("user_id IN {}", server.own_users()));
        let first = format!("SELECT min(auth_time) FROM sessions WHERE {own}");
        let end = format!("UPDATE sessions SET {end} WHERE {own} AND auth_time = ({first})");
        assert_eq!(database.execute(&end).await, 1);
        for path in [ME, "/api/v1/organizations/{org}"] {
            ada.get(path).await.problem(401, "INVALID_TOKEN");
            elsewhere.get(path).await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_token_expires() {
    let server = Server::builder().env("INSULA_ACCESS_TOKEN_TTL", "1").start().await;
    let ada = server.client().register("ada@example.com").await;
    eventually("the token expires", async || ada.get(ME).await.status == 401).await;
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
    server.client().log_in("ada@example.com", PASSWORD).await;
}
