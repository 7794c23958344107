//! Passwords are normalized (RFC 8265) in all operations that take one.

use std::process::Stdio;

use insula_tests::{Client, Inbox, Reply, Server, TestEnv, unique};
use serde_json::json;

const REGISTER: &str = "/api/v1/auth/register";
const LOG_IN: &str = "/api/v1/auth/login";
const REAUTHENTICATE: &str = "/api/v1/auth/reauthenticate";

/// As Windows and Linux type it: NFC, and plain spaces.
const COMPOSED: &str = "gl\u{fc}hende L\u{e4}mpchen \u{1eaf}";
/// As macOS may: NFD, and a no-break space.
const DECOMPOSED: &str = "glu\u{308}hende\u{a0}La\u{308}mpchen a\u{306}\u{301}";
const BOTH: [&str; 2] = [COMPOSED, DECOMPOSED];

async fn log_in(server: &Server, email: &str, password: &str) -> Reply {
    server.client().post(LOG_IN, json!({ "email": email, "password": password })).await
}

/// Both forms log in, and nothing that only looks alike.
async fn either_logs_in(server: &Server, email: &str) {
    for password in BOTH {
        log_in(server, email, password).await.expect(200);
    }
    let alike = "gluhende Lampchen a";
    log_in(server, email, alike).await.problem(401, "INVALID_CREDENTIALS");
}

async fn register(server: &Server, email: &str, password: &str) -> Client {
    server.client().post(REGISTER, json!({ "email": email, "password": password })).await.expect(201);
    server.client().log_in(email, password).await
}

#[tokio::test]
async fn either_form_works_in_registration_change_and_reauthentication() {
    let server = Server::shared().await;
    for (name, [one, other]) in [("ada", [COMPOSED, DECOMPOSED]), ("eve", [DECOMPOSED, COMPOSED])] {
        let email = &server.email(name);
        let person = register(&server, email, one).await;
        either_logs_in(&server, email).await;
        person.post(REAUTHENTICATE, json!({ "password": other })).await.expect(204);
        let change = |current: &str, new: &str| {
            let body = json!({ "current_password": current, "password": new });
            person.put("/api/v1/users/me/password", body)
        };
        change(other, "Copper-harbour-92-violin").await.expect(200);
        change("Copper-harbour-92-violin", other).await.expect(200);
        either_logs_in(&server, email).await;
    }
}

#[tokio::test]
async fn a_password_reset_accepts_either_form() {
    let server = Server::shared_with_mail().await;
    let inbox = Inbox::own(&server).await;
    server.register("ada").await;
    for password in BOTH {
        let forgot = json!({ "email": server.email("ada") });
        server.client().post("/api/v1/auth/password/forgot", forgot).await.expect(202);
        let token = inbox.last("send_password_reset").await.token;
        let reset = json!({ "token": token, "password": password });
        server.client().post("/api/v1/auth/password/reset", reset).await.expect(200);
        either_logs_in(&server, &server.email("ada")).await;
    }
}

#[tokio::test]
async fn an_invitation_accepts_either_form() {
    let server = Server::shared_with_mail().await;
    let inbox = Inbox::own(&server).await;
    let owner = server.register("ada").await;
    let verification = json!({ "token": inbox.last("send_verification").await.token });
    owner.post("/api/v1/auth/email/verify", verification).await.expect(200);
    let slug = owner.create_organization(&unique("acme")).await.slug;
    for (name, password) in [("bob", COMPOSED), ("eve", DECOMPOSED)] {
        let email = &server.email(name);
        owner.invite(&slug, email, &["member"]).await.expect(201);
        let token = inbox.last("send_invitation").await.token;
        server.client().accept(&token, json!({ "password": password })).await.expect(200);
        either_logs_in(&server, email).await;
    }
}

#[tokio::test]
async fn superusers_may_type_either_form() {
    let (server, superuser) = Server::with_superuser().await;
    for (email, password) in [("bob@example.com", COMPOSED), ("eve@example.com", DECOMPOSED)] {
        let draft = json!({ "email": email, "password": password });
        superuser.post("/api/v1/admin/users", draft).await.expect(201);
        either_logs_in(&server, email).await;
        let root = format!("root.{email}");
        create_superuser(server.test_env(), &root, password);
        either_logs_in(&server, &root).await;
    }
}

fn create_superuser(env: &TestEnv, email: &str, password: &str) {
    let mut command = env.command(&["create-superuser", "--email", email, "--password-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{password}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn a_hash_of_what_was_typed_once_is_replaced_by_one_of_the_composed_form() {
    // Made by libxcrypt.
    const TYPED: &str = "glu\u{308}hende Lampe";
    const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuiqMD3xxF/DaoQTUAkKXn.vByXR/HG/O";
    let server = Server::shared().await;
    let (superuser, email) = (server.superuser().await, &*server.email("ada"));
    let draft = json!({ "email": email, "password_hash": HASH });
    superuser.post("/api/v1/admin/users", draft).await.expect(201);
    let composed = "gl\u{fc}hende Lampe";
    log_in(&server, email, composed).await.problem(401, "INVALID_CREDENTIALS");
    log_in(&server, email, TYPED).await.expect(200);
    let old = format!(
        "SELECT count(*) FROM credentials WHERE secret_hash NOT LIKE '$argon2id$%' AND user_id IN {}",
        server.own_users()
    );
    assert_eq!(server.database().await.scalar(&old).await, 0);
    for password in [composed, TYPED] {
        log_in(&server, email, password).await.expect(200);
    }
}

#[tokio::test]
async fn the_length_is_that_of_the_composed_form() {
    let server = Server::shared().await;
    let register = async |password: &str| {
        let email = server.email(&password.len().to_string());
        server.client().post(REGISTER, json!({ "email": email, "password": password })).await
    };
    // 128 characters, which are 256 code points as they are typed, and one more.
    let longest = "o\u{308}u\u{308}".repeat(64);
    register(&longest).await.expect(201);
    let reply = register(&format!("{longest}o")).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["password TOO_LONG"]);
    // Seven, of which each is typed as two.
    let reply = register(&"u\u{308}".repeat(7)).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["password TOO_SHORT"]);
    register(&"u\u{308}o\u{308}".repeat(4)).await.expect(201);
}
