//! `/auth` and `/users/me`: accounts and sessions, and the inputs they reject.

use insula_tests::{Client, PASSWORD, Server, eventually};
use serde_json::{Value, json};

const REGISTER: &str = "/api/v1/auth/register";
const LOG_IN: &str = "/api/v1/auth/login";
const ME: &str = "/api/v1/users/me";

fn ada() -> Value {
    json!({ "email": "Ada@Example.com", "password": PASSWORD, "username": "ada", "first_name": "Ada", "last_name": "Lovelace" })
}

/// Where Ada has an account.
async fn with_ada() -> (Server, Client) {
    let server = Server::start().await;
    let anybody = server.client();
    anybody.post(REGISTER, ada()).await.expect(201);
    (server, anybody)
}

#[tokio::test]
async fn a_new_account_is_active_and_ordinary() {
    let server = Server::start().await;
    let made = server.client().post(REGISTER, ada()).await;
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
    assert_eq!((&body["email"], &body["username"]), (&json!("Ada@Example.com"), &json!("ada")));
    assert_eq!((&body["first_name"], &body["last_name"]), (&json!("Ada"), &json!("Lovelace")));
    assert_eq!(body["last_login_at"], Value::Null);
    assert_eq!((made.header("location"), made.header("etag")), (Some(ME), Some("\"1\"")));
}

#[tokio::test]
async fn an_account_needs_no_more_than_address_and_password() {
    let server = Server::start().await;
    let body = json!({ "email": "bob@example.com", "password": PASSWORD });
    let made = server.client().post(REGISTER, body).await.expect(201);
    for optional in ["username", "first_name", "last_name"] {
        assert_eq!(made[optional], Value::Null);
    }
}

#[tokio::test]
async fn an_address_belongs_to_one_account_however_it_is_spelled() {
    let (_server, anybody) = with_ada().await;
    for same in [
        "Ada@Example.com",
        "ADA@EXAMPLE.COM",
        "  ada@example.com ",
        "ada@ｅｘａｍｐｌｅ.com",
        "ada@EXAMPLE。com",
    ] {
        let again = json!({ "email": same, "password": PASSWORD });
        anybody.post(REGISTER, again).await.problem(409, "EMAIL_TAKEN");
    }
    // A full-width @ is none.
    let reply = anybody.post(REGISTER, json!({ "email": "ada＠example.com", "password": PASSWORD })).await;
    assert_eq!((reply.status, reply.faults()), (422, vec!["email INVALID_FORMAT".to_owned()]));
}

#[tokio::test]
async fn a_second_registration_says_that_the_address_is_taken() {
    let (server, anybody) = with_ada().await;
    anybody.post(REGISTER, ada()).await.problem(409, "EMAIL_TAKEN");
    let database = server.database().await;
    for table in ["users", "credentials", "organizations", "outbox"] {
        assert_eq!(database.scalar(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
}

#[tokio::test]
async fn a_username_belongs_to_one_account_without_regard_to_case() {
    let (_server, anybody) = with_ada().await;
    for same in ["ada", "ADA", "Ada"] {
        let other = json!({ "email": "bob@example.com", "password": PASSWORD, "username": same });
        anybody.post(REGISTER, other).await.problem(409, "USERNAME_TAKEN");
    }
}

#[tokio::test]
async fn users_cannot_set_protected_fields() {
    let (server, anybody) = with_ada().await;
    for (field, value) in [
        ("is_superuser", json!(true)),
        ("is_active", json!(true)),
        ("email_verified_at", json!("2026-01-01T00:00:00Z")),
        ("id", json!("0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091")),
        ("version", json!(7)),
        ("last_login_at", json!(null)),
    ] {
        let mut body = json!({ "email": "eve@example.com", "password": PASSWORD });
        body[field] = value;
        let reply = anybody.post(REGISTER, body).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [format!("{field} UNKNOWN_FIELD")]);
    }
    assert_eq!(server.database().await.scalar("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn a_login_takes_the_address_or_the_username() {
    let (_server, anybody) = with_ada().await;
    for (by, names) in
        [("email", vec!["ada@example.com", " ADA@example.COM "]), ("username", vec!["ada", "ADA"])]
    {
        for name in names {
            let session = anybody.post(LOG_IN, json!({ by: name, "password": PASSWORD })).await.expect(200);
            assert_eq!(session["user"]["email"], "Ada@Example.com");
        }
    }
}

#[tokio::test]
async fn a_login_returns_a_token_and_its_user() {
    let (_server, anybody) = with_ada().await;
    let who = json!({ "username": "ada", "password": PASSWORD });
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
    let (_server, anybody) = with_ada().await;
    let mut answers = Vec::new();
    for who in [
        json!({ "email": "ada@example.com", "password": "wrong" }),
        json!({ "email": "ada@example.com", "password": format!("{PASSWORD} ") }),
        json!({ "username": "ada", "password": "wrong" }),
        json!({ "email": "nobody@example.com", "password": PASSWORD }),
        json!({ "username": "nobody", "password": PASSWORD }),
        json!({ "email": "no address", "password": PASSWORD }),
        json!({ "username": "' OR 1=1 --", "password": PASSWORD }),
    ] {
        let reply = anybody.post(LOG_IN, who).await;
        let problem = reply.problem(401, "INVALID_CREDENTIALS");
        let sentence = "Invalid email or password. Please check your credentials and try again.";
        assert_eq!(problem["message"], sentence);
        answers.push((reply.outcome(), reply.header("www-authenticate").map(str::to_owned)));
    }
    assert!(answers.iter().all(|other| *other == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn a_login_takes_only_one_name() {
    let (_server, anybody) = with_ada().await;
    for who in [
        json!({ "email": "ada@example.com", "username": "ada", "password": PASSWORD }),
        json!({ "password": PASSWORD }),
        json!({ "email": null, "username": null, "password": PASSWORD }),
    ] {
        anybody.post(LOG_IN, who).await.problem(422, "VALIDATION_FAILED");
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
    let server = Server::start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    server.database().await.execute("UPDATE users SET is_active = false").await;
    for path in [ME, "/api/v1/organizations/acme"] {
        ada.get(path).await.problem(401, "INVALID_TOKEN");
    }
    let log_in = |password: &str| json!({ "email": "ada@example.com", "password": password });
    server.client().post(LOG_IN, log_in(PASSWORD)).await.problem(403, "INACTIVE_USER");
    server.client().post(LOG_IN, log_in("wrong")).await.problem(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn a_deleted_account_is_none_and_frees_its_names() {
    let (server, anybody) = with_ada().await;
    let token = anybody.log_in("ada@example.com", PASSWORD).await;
    server.database().await.execute("UPDATE users SET deleted_at = created_at").await;
    token.get(ME).await.problem(401, "INVALID_TOKEN");
    let log_in = json!({ "username": "ada", "password": PASSWORD });
    anybody.post(LOG_IN, log_in.clone()).await.problem(401, "INVALID_CREDENTIALS");
    let heir = anybody.post(REGISTER, ada()).await.expect(201);
    assert_eq!(anybody.post(LOG_IN, log_in).await.expect(200)["user"]["id"], heir["id"]);
    token.get(ME).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn an_ended_session_has_no_access() {
    for end in ["revoked_at = created_at", "expires_at = created_at"] {
        let server = Server::start().await;
        let ada = server.client().register("ada@example.com").await;
        ada.create_organization("acme").await;
        let elsewhere = server.client().log_in("ada@example.com", PASSWORD).await;
        let database = server.database().await;
        let first = "SELECT min(auth_time) FROM sessions";
        let ended = database.execute(&format!("UPDATE sessions SET {end} WHERE auth_time = ({first})")).await;
        assert_eq!(ended, 1);
        for path in [ME, "/api/v1/organizations/acme"] {
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
