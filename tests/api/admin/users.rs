//! `/admin/users`: creating, deactivating and deleting accounts.

use insula_tests::{Client, PASSWORD, Reply, Server, SharedServer, TestDatabase, unique};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const USERS: &str = "/api/v1/admin/users";
const ME: &str = "/api/v1/users/me";

async fn log_in(server: &Server, email: &str, password: &str) -> Reply {
    server.client().post("/api/v1/auth/login", json!({ "email": email, "password": password })).await
}

fn path(user: &Value) -> String {
    format!("{USERS}/{}", user["id"].as_str().unwrap())
}

/// Ada, whose account a superuser can read.
async fn ada(server: &SharedServer) -> (Client, String) {
    let ada = server.register("ada").await;
    let path = path(&ada.get(ME).await.expect(200));
    (ada, path)
}

#[tokio::test]
async fn a_superuser_creates_an_account_that_can_log_in() {
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    let (email, username) = (server.email("Ada").replace("example", "Example"), unique("ada"));
    let draft =
        json!({ "email": email, "password": PASSWORD, "username": username, "last_name": "Lovelace" });
    let made = superuser.post(USERS, draft.clone()).await;
    let body = made.expect(201);
    assert_eq!((made.header("location"), made.header("etag")), (Some(&*path(&body)), Some("\"1\"")));
    assert_eq!((&body["email"], &body["is_superuser"]), (&json!(email), &json!(false)));
    assert_eq!((&body["deleted_at"], &body["display_name"]), (&Value::Null, &json!("Lovelace")));
    let looked = superuser.get(&path(&body)).await;
    assert_eq!(looked.expect(200), body);
    superuser.get(&path(&body)).header("if-none-match", looked.header("etag").unwrap()).await.expect(304);
    let session = log_in(&server, &server.email("ada"), PASSWORD).await.expect(200);
    assert_eq!(session["user"]["id"], body["id"]);
    superuser.post(USERS, draft).await.problem(409, "EMAIL_TAKEN");
    let namesake =
        json!({ "email": server.email("eve"), "password": PASSWORD, "username": username.to_uppercase() });
    superuser.post(USERS, namesake).await.problem(409, "USERNAME_TAKEN");

    let database = server.database().await;
    let events = format!(
        "SELECT details FROM audit_events WHERE action = 'user.created' AND resource_id = '{}'",
        body["id"].as_str().unwrap()
    );
    let events = database.texts(&events).await;
    let facts = json!({ "after": { "is_active": true, "is_superuser": false, "password_imported": false } });
    assert_eq!(events, [facts.to_string()]);
}

#[tokio::test]
async fn an_account_is_created_with_a_password_or_a_hash() {
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    for (draft, fault) in [
        (json!({ "email": server.email("a") }), "password REQUIRED"),
        (
            json!({ "email": server.email("a"), "password": PASSWORD, "password_hash": "$2b$10$x" }),
            "password_hash NOT_A_CHOICE",
        ),
        (
            json!({ "email": server.email("a"), "password": PASSWORD, "is_active": true }),
            "is_active UNKNOWN_FIELD",
        ),
    ] {
        let reply = superuser.post(USERS, draft).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), [fault]);
    }
    let weak = json!({ "email": server.email("a"), "password": "password123" });
    superuser.post(USERS, weak).await.problem(422, "WEAK_PASSWORD");
}

#[tokio::test]
async fn an_imported_hash_allows_the_login() {
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    server.register("ada").await;
    let hash = format!("SELECT secret_hash FROM credentials WHERE user_id IN {}", server.own_users());
    let hash = server.database().await.text(&hash).await;
    for bad in ["plain", "$2a$10$x", "$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHQ$aGFzaA"] {
        let reply =
            superuser.post(USERS, json!({ "email": server.email("eve"), "password_hash": bad })).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["password_hash INVALID_FORMAT"]);
    }
    let draft = json!({ "email": server.email("eve"), "password_hash": hash });
    superuser.post(USERS, draft).await.expect(201);
    log_in(&server, &server.email("eve"), PASSWORD).await.expect(200);
    log_in(&server, &server.email("eve"), &hash).await.problem(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn a_bcrypt_hash_is_replaced_at_login() {
    // Of "correct horse battery staple", of cost 4.
    const HASH: &str = "$2b$04$XYD.48qtFxGg0j9Rmq8ds.4dFji/dU4P0trxIPOuoyMCbivDHfP1S";
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    let draft = json!({ "email": server.email("eve"), "password_hash": HASH });
    superuser.post(USERS, draft).await.expect(201);
    log_in(&server, &server.email("eve"), "correct horse battery staple").await.expect(200);
    let hashes = format!("SELECT secret_hash FROM credentials WHERE user_id IN {}", server.own_users());
    let hashes = server.database().await.texts(&hashes).await;
    assert!(hashes.len() == 1 && hashes.iter().all(|hash| hash.starts_with("$argon2id$")), "{hashes:?}");
}

#[tokio::test]
async fn a_repeated_request_creates_one_account() {
    let (server, superuser) = Server::with_superuser().await;
    let draft = |password: &str| json!({ "email": "ada@example.com", "password": password });
    let make = |password: &str| superuser.post(USERS, draft(password)).header("idempotency-key", "key-1");
    let first = make(PASSWORD).await.expect(201);
    assert_eq!(make(PASSWORD).await.expect(201), first);
    make("another-good-pass-17").await.problem(422, "IDEMPOTENCY_MISMATCH");
    let database = server.database().await;
    assert_eq!(database.scalar("SELECT count(*) FROM users").await, 2);
    // A plain digest of the body would let the password be guessed.
    let kept = match database {
        TestDatabase::Sqlite(_) => {
            database.text("SELECT lower(hex(body_sha256)) FROM idempotency_keys").await
        }
        TestDatabase::Postgres(_) => {
            database.text("SELECT encode(body_sha256, 'hex') FROM idempotency_keys").await
        }
    };
    let plain: String =
        Sha256::digest(draft(PASSWORD).to_string()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(kept.len() == 64 && kept != plain, "{kept}");
}

#[tokio::test]
async fn a_deactivated_user_has_no_access_until_reactivated() {
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    let (ada, path) = ada(&server).await;
    let deactivate = || superuser.request("POST", &format!("{path}/deactivate"));
    let shut = deactivate().await;
    assert_eq!((shut.expect(200)["is_active"].as_bool(), shut.header("etag")), (Some(false), Some("\"2\"")));
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
    log_in(&server, &server.email("ada"), PASSWORD).await.problem(403, "INACTIVE_USER");
    assert_eq!(deactivate().await.expect(200)["version"], 2);

    let activate = || superuser.request("POST", &format!("{path}/activate"));
    assert_eq!(activate().await.expect(200)["is_active"], true);
    assert_eq!(activate().await.expect(200)["version"], 3);
    ada.get(ME).await.problem(401, "INVALID_TOKEN");
    log_in(&server, &server.email("ada"), PASSWORD).await.expect(200);
    let (database, id) = (server.database().await, path.rsplit('/').next().unwrap());
    for action in ["user.activated", "user.deactivated"] {
        let events =
            format!("SELECT count(*) FROM audit_events WHERE action = '{action}' AND resource_id = '{id}'");
        assert_eq!(database.scalar(&events).await, 1, "{action}");
    }
}

#[tokio::test]
async fn the_last_superuser_cannot_be_deactivated() {
    let (server, superuser) = Server::with_superuser().await;
    let root = path(&superuser.get(ME).await.expect(200));
    let attempts = async |superuser: &Client| {
        [
            superuser.delete(ME).await,
            superuser.delete(&root).await,
            superuser.request("POST", &format!("{root}/deactivate")).await,
        ]
    };
    for refused in attempts(&superuser).await {
        refused.problem(409, "LAST_SUPERUSER");
    }
    let second = json!({ "email": "second@example.com", "password": PASSWORD, "is_superuser": true });
    let second = path(&superuser.post(USERS, second).await.expect(201));
    superuser.request("POST", &format!("{second}/deactivate")).await.expect(200);
    for refused in attempts(&superuser).await {
        refused.problem(409, "LAST_SUPERUSER");
    }
    superuser.request("POST", &format!("{second}/activate")).await.expect(200);
    let second = server.client().log_in("second@example.com", PASSWORD).await;
    second.delete(&root).await.expect(204);
    superuser.get(ME).await.problem(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_superuser_lists_and_revokes_the_sessions_of_others() {
    let server = Server::shared().await;
    let superuser = server.superuser().await;
    let (ada, path) = ada(&server).await;
    let laptop = server.client().with("user-agent", "laptop").log_in(&server.email("ada"), PASSWORD).await;
    let sessions = format!("{path}/sessions");
    let listed = superuser.get(&sessions).await.expect(200);
    let listed = listed["data"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[0]["user_agent"]), (2, &json!("laptop")));
    assert!(listed.iter().all(|session| session["is_current"] == false));
    superuser.delete(&sessions).await.expect(204);
    for device in [&ada, &laptop] {
        device.get(ME).await.problem(401, "INVALID_TOKEN");
    }
    superuser.get(ME).await.expect(200);
    log_in(&server, &server.email("ada"), PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_unknown_user_is_not_found() {
    let superuser = Server::shared().await.superuser().await;
    let nobody = format!("{USERS}/0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091");
    for (method, path) in [
        ("GET", nobody.clone()),
        ("DELETE", nobody.clone()),
        ("POST", format!("{nobody}/activate")),
        ("POST", format!("{nobody}/deactivate")),
        ("POST", format!("{nobody}/restore")),
        ("GET", format!("{nobody}/sessions")),
        ("DELETE", format!("{nobody}/sessions")),
    ] {
        superuser.request(method, &path).await.problem(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_former_superuser_has_no_access() {
    let (server, superuser) = Server::with_superuser().await;
    let server = SharedServer::from(server);
    let (_, path) = ada(&server).await;
    server.database().await.execute("UPDATE users SET is_superuser = false").await;
    superuser.get(&path).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn every_wrong_field_of_a_new_account_is_named_at_once() {
    let superuser = Server::shared().await.superuser().await;
    for (proof, value, fault) in [
        ("password", "password123", "password TOO_COMMON"),
        ("password_hash", "$2b$31$abcdefghijklmnopqrstuuVFcy9sN4GWVsmVzGwfMKDpjrzKP2jRq", "password_hash"),
    ] {
        let mut draft = json!({ "email": "nobody", "first_name": "\u{7}" });
        draft[proof] = json!(value);
        let reply = superuser.post(USERS, draft).await;
        reply.problem(422, "VALIDATION_FAILED");
        let faults = reply.faults();
        for field in ["email", "first_name", fault] {
            assert!(faults.iter().any(|named| named.starts_with(field)), "{field}: {faults:?}");
        }
    }
}
