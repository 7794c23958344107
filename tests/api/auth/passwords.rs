//! Passwords: which are accepted, how they are stored, and many concurrent logins.

use insula_tests::{Client, PASSWORD, Reply, Server, SharedServer, TestDatabase, concurrently, unique};
use serde_json::json;

const REGISTER: &str = "/api/v1/auth/register";
const LOG_IN: &str = "/api/v1/auth/login";
const ME: &str = "/api/v1/users/me";

/// Made elsewhere (libxcrypt; the tests of the reference implementation), of these passwords.
const BCRYPT: (&str, &str) =
    ("correct horse", "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e");
const OLD_ARGON2: (&str, &str) =
    ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");

/// Jane, who has the username `captain-nemo-7`.
struct Jane {
    server: SharedServer,
    database: TestDatabase,
    email: String,
    username: String,
}

impl Jane {
    async fn start() -> Self {
        Self::on(Server::shared().await).await
    }

    async fn on(server: SharedServer) -> Self {
        let (database, email) = (server.database().await, server.email("jane.doe"));
        Self { server, database, email, username: unique("captain-nemo") }
    }

    async fn register(&self, password: &str) -> Reply {
        let person = json!({ "email": self.email, "username": self.username, "password": password });
        self.server.client().post(REGISTER, person).await
    }

    async fn log_in(&self, password: &str) -> Client {
        self.server.client().log_in(&self.email, password).await
    }

    /// Logs in by the username.
    async fn log_in_by_name(&self, password: &str) -> Reply {
        let who = json!({ "username": self.username, "password": password });
        self.server.client().post(LOG_IN, who).await
    }

    async fn stored(&self) -> String {
        let own = self.server.own_users();
        self.database.text(&format!("SELECT secret_hash FROM credentials WHERE user_id IN {own}")).await
    }

    async fn store(&self, hash: &str) {
        let own = self.server.own_users();
        let store = format!("UPDATE credentials SET secret_hash = '{hash}' WHERE user_id IN {own}");
        assert_eq!(self.database.execute(&store).await, 1);
    }
}

#[tokio::test]
async fn an_easily_guessed_password_is_refused_with_the_reason() {
    let jane = Jane::start().await;
    let domain = jane.email.split('@').nth(1).unwrap();
    for (password, code) in [
        ("password123", "TOO_COMMON"),
        ("PassWord123", "TOO_COMMON"),
        (&*jane.email, "TOO_SIMILAR"),
        (&format!("Jane.Doe@{}", domain.to_uppercase()), "TOO_SIMILAR"),
        ("jane.doe", "TOO_SIMILAR"),
        (&format!("{}!", jane.username.replace("captain", "CAPTAIN")), "TOO_SIMILAR"),
        ("Insula-2026", "TOO_SIMILAR"),
    ] {
        let refused = jane.register(password).await;
        let problem = refused.problem(422, "WEAK_PASSWORD");
        assert_eq!(refused.faults(), [format!("password {code}")], "{password}");
        assert!(!problem.to_string().to_lowercase().contains(&password.to_lowercase()), "{problem}");
    }
    let accounts = format!("SELECT count(*) FROM users WHERE id IN {}", jane.server.own_users());
    assert_eq!(jane.database.scalar(&accounts).await, 0);
}

#[tokio::test]
async fn a_weak_password_is_reported_with_the_other_errors() {
    let server = Server::shared().await;
    let body = json!({ "email": "nobody", "username": "captain-nemo", "password": "captain-nemo" });
    let refused = server.client().post(REGISTER, body).await;
    refused.problem(422, "VALIDATION_FAILED");
    assert_eq!(refused.faults(), ["email INVALID_FORMAT", "password TOO_SIMILAR"]);
}

#[tokio::test]
async fn a_long_passphrase_needs_no_digits_and_counts_to_its_end() {
    let jane = Jane::start().await;
    let passphrase = "every good boat has a small lamp ".repeat(4)[..100].to_owned();
    jane.register(&passphrase).await.expect(201);
    jane.log_in(&passphrase).await;
    jane.log_in_by_name(&passphrase[..99]).await.problem(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn a_longer_minimum_applies_to_new_passwords_only() {
    let server = Server::start().await;
    let jane = json!({ "email": "jane.doe@example.com", "password": "kjwb-qzx" });
    server.client().post(REGISTER, jane).await.expect(201);
    let env = server.test_env().clone();
    server.terminate().await;

    let server = Server::builder().test_env(&env).env("INSULA_PASSWORD_MIN_LENGTH", "15").start().await;
    server.client().log_in("jane.doe@example.com", "kjwb-qzx").await;
    let bob = |password: &str| json!({ "email": "bob@example.com", "password": password });
    let refused = server.client().post(REGISTER, bob("kjwb-qzxv-mnpr")).await;
    assert!(refused.problem(422, "WEAK_PASSWORD")["errors"][0]["message"].to_string().contains("15"));
    assert_eq!(refused.faults(), ["password TOO_SHORT"]);
    server.client().post(REGISTER, bob("kjwb-qzxv-mnprs")).await.expect(201);
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_at_login() {
    let server = Server::builder().env("INSULA_PASSWORD_MEMORY", "19456").start().await;
    let jane = Jane::on(server.into()).await;
    jane.register(PASSWORD).await.expect(201);
    for (password, hash) in [BCRYPT, OLD_ARGON2] {
        let log_ins = "SELECT count(*) FROM audit_events WHERE action <> 'session.refused'";
        let events = jane.database.scalar(log_ins).await;
        jane.store(hash).await;
        jane.log_in_by_name("wrong").await.problem(401, "INVALID_CREDENTIALS");
        assert_eq!(jane.stored().await, hash, "only who knows the password renews its hash");

        jane.log_in(password).await;
        let renewed = jane.stored().await;
        assert!(renewed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{renewed}");
        jane.log_in(password).await;
        assert_eq!(jane.stored().await, renewed, "once");
        assert_eq!(jane.database.scalar(log_ins).await, events + 2, "the log-ins alone");
    }
}

/// bcrypt sees 72 bytes. A hash of a mistyped end would shut the user out.
#[tokio::test]
async fn a_bcrypt_hash_of_a_long_password_is_kept_until_another_is_set() {
    // Made by libxcrypt, of this password.
    const LONG: &str =
        "every good boat has a small lamp and every lamp has a good boat; so it goes on and on";
    const HASH: &str = "$2b$04$abcdefghijklmnopqrstuullgNKBkhAIfu3hQo/6Pdyw5GjWr.5bq";
    let jane = Jane::start().await;
    jane.register(PASSWORD).await.expect(201);
    jane.store(HASH).await;
    let mistyped = format!("{}, and pn", &LONG[..72]);
    for password in [&mistyped, LONG, &LONG[..72], LONG] {
        let ada = jane.log_in(password).await;
        ada.post("/api/v1/auth/reauthenticate", json!({ "password": password })).await.expect(204);
        assert_eq!(jane.stored().await, HASH);
    }
    for wrong in [&LONG[..71], &format!("{LONG}\u{1}")[1..]] {
        jane.log_in_by_name(wrong).await.problem(401, "INVALID_CREDENTIALS");
    }
    let ada = jane.log_in(LONG).await;
    let change = json!({ "current_password": LONG, "password": format!("{LONG}.") });
    ada.put("/api/v1/users/me/password", change).await.expect(200);
    assert!(jane.stored().await.starts_with("$argon2id$"));
    jane.log_in_by_name(LONG).await.problem(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn concurrent_logins_replace_a_hash_once() {
    let jane = Jane::start().await;
    jane.register(PASSWORD).await.expect(201);
    jane.store(BCRYPT.1).await;
    let client = jane.server.client();
    let replies = concurrently(5, |_| {
        let who = json!({ "username": jane.username, "password": BCRYPT.0 });
        let request = client.post(LOG_IN, who);
        async move { request.await }
    })
    .await;
    replies.iter().for_each(|reply| drop(reply.expect(200)));
    assert!(jane.stored().await.starts_with("$argon2id$"));
    jane.log_in(BCRYPT.0).await;
}

#[tokio::test]
async fn an_unsupported_hash_allows_no_login() {
    let jane = Jane::start().await;
    jane.register(PASSWORD).await.expect(201);
    let dear = OLD_ARGON2.1.replace("m=256", "m=4194304");
    for hash in ["", "password", &BCRYPT.1.replace("$04$", "$31$"), &dear] {
        jane.store(hash).await;
        for password in ["password", BCRYPT.0] {
            jane.log_in_by_name(password).await.problem(401, "INVALID_CREDENTIALS");
        }
        assert_eq!(jane.stored().await, *hash);
    }
}

#[tokio::test]
async fn a_flood_of_logins_is_served_or_refused_and_does_not_delay_reads() {
    // All ask from one address: they shall meet the queue of those who hash, not the cap of requests.
    let builder = Server::builder().env("INSULA_MAX_REQUESTS", "1000");
    let server = builder.env("INSULA_PASSWORD_MEMORY", "19456").start().await;
    let reader = server.client().register("jane.doe@example.com").await;
    let client = server.client();
    let flood = concurrently(150, |number| {
        let client = client.clone();
        let email = ["jane.doe@example.com", "nobody@example.com"][number % 2];
        async move { (number, client.post(LOG_IN, json!({ "email": email, "password": PASSWORD })).await) }
    });
    let reads = async {
        for _ in 0..30 {
            reader.get(ME).await.expect(200);
        }
    };
    let (replies, ()) = tokio::join!(flood, reads);
    let mut served = 0;
    for (number, reply) in &replies {
        match reply.status {
            503 => {
                reply.problem(503, "UNAVAILABLE");
                assert_eq!(reply.header("retry-after"), Some("2"));
            }
            _ if number % 2 == 1 => drop(reply.problem(401, "INVALID_CREDENTIALS")),
            _ => {
                reply.expect(200);
                served += 1;
            }
        }
    }
    assert!(served > 0, "some are served");
    client.log_in("jane.doe@example.com", PASSWORD).await;
}
