//! Several processes on one database: a change takes effect here at once, and soon on the others.

use insula_tests::{Client, DemoFixture, PASSWORD, Server, TcpProxy, TestEnv, eventually, redis};
use serde_json::json;

const SESSIONS: &str = "/api/v1/users/me/sessions";
const ACME: &str = "/api/v1/organizations/acme";
const LOG_OUT: &str = "/api/v1/auth/logout";

/// A memory that ends by itself only when every test is over.
const LONG: (&str, &str) = ("INSULA_SESSION_CACHE_TTL", "3600");

/// Two processes on one database.
async fn two(settings: &[(&str, &str)]) -> (Server, Server) {
    let env = TestEnv::new().await;
    let start = || {
        let start = Server::builder().test_env(&env);
        settings.iter().fold(start, |start, (name, value)| start.env(name, value)).start()
    };
    (start().await, start().await)
}

/// A session of ada's at the first process, and what the second makes of it. Both remember her.
async fn ada(a: &Server, b: &Server) -> (Client, Client) {
    let here = a.client().log_in("ada@example.com", PASSWORD).await;
    let there = b.client().bearer(here.token());
    for client in [&here, &there] {
        client.get(SESSIONS).await.expect(200);
        client.get(ACME).await.expect(200);
    }
    (here, there)
}

async fn found_acme(server: &Server) {
    server.client().register("ada@example.com").await.create_organization("acme").await;
}

/// Reads, which may be answered from memory.
async fn is_out(client: &Client) -> bool {
    let mut refused = 0;
    for path in [SESSIONS, ACME] {
        let reply = client.get(path).await;
        if reply.status != 200 {
            reply.problem(401, "INVALID_TOKEN");
            refused += 1;
        }
    }
    refused == 2
}

async fn is_refused_to_write(client: &Client) {
    let anything = json!({ "code": "P", "name": "P", "slug": "other" });
    for path in ["/api/v1/organizations", "/api/v1/organizations/acme/projects"] {
        client.post(path, anything.clone()).await.problem(401, "INVALID_TOKEN");
    }
}

#[tokio::test]
async fn a_logout_takes_effect_here_at_once_and_elsewhere_soon() {
    let (a, b) = two(&[]).await;
    found_acme(&a).await;
    let (here, there) = ada(&a, &b).await;
    here.request("POST", LOG_OUT).await.expect(204);
    assert!(is_out(&here).await);
    is_refused_to_write(&there).await;
    eventually("the other process notices", async || is_out(&there).await).await;
}

#[tokio::test]
async fn at_once_is_not_a_matter_of_time() {
    let (a, b) = two(&[LONG]).await;
    found_acme(&a).await;
    let (phone, phone_elsewhere) = ada(&a, &b).await;
    let (laptop, _) = ada(&a, &b).await;
    laptop.delete(SESSIONS).await.expect(204);
    assert!(is_out(&phone).await && !is_out(&laptop).await);
    // The other process gets no message and has a long cache; still it accepts no write of her.
    assert!(!is_out(&phone_elsewhere).await);
    is_refused_to_write(&phone_elsewhere).await;
    laptop.request("POST", "/api/v1/auth/logout-all").await.expect(204);
    assert!(is_out(&laptop).await);
}

#[tokio::test]
async fn a_warm_read_asks_for_nothing_but_what_it_reads() {
    let server = Server::builder().env(LONG.0, LONG.1).start().await;
    found_acme(&server).await;
    let (ada, _) = ada(&server, &server).await;
    let database = server.database().await;
    let projects = &format!("{ACME}/projects");
    // Without these tables, no permission can be checked.
    for table in ["sessions", "members"] {
        database.execute(&format!("ALTER TABLE {table} RENAME TO elsewhere")).await;
        for path in [ACME, projects] {
            ada.get(path).await.expect(200);
        }
        ada.post(projects, json!({ "code": table, "name": table })).await.problem(500, "INTERNAL_ERROR");
        database.execute(&format!("ALTER TABLE elsewhere RENAME TO {table}")).await;
        ada.post(projects, json!({ "code": table, "name": table })).await.expect(201);
    }
    // And what it reads is read.
    assert_eq!(ada.get(projects).await.expect(200)["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn zero_switches_memory_off() {
    let server = Server::builder().env(LONG.0, "0").start().await;
    found_acme(&server).await;
    let (ada, _) = ada(&server, &server).await;
    server.database().await.execute("UPDATE sessions SET revoked_at = created_at").await;
    assert!(is_out(&ada).await);
}

#[tokio::test]
async fn a_change_without_a_message_is_noticed_soon() {
    let demo = DemoFixture::start().await;
    let (mia, database) = (demo.user("mia").await, demo.server.database().await);
    let path = format!("/api/v1/organizations/{}", DemoFixture::SLUG);
    let hers = "(SELECT id FROM users WHERE email = 'mia@demo.example')";
    mia.get(&path).await.expect(200);
    database.execute(&format!("UPDATE members SET status = 'removed' WHERE user_id IN {hers}")).await;
    eventually("she is a stranger", async || mia.get(&path).await.status == 404).await;
    mia.get(SESSIONS).await.expect(200);
    database.execute(&format!("UPDATE users SET is_active = false WHERE id IN {hers}")).await;
    eventually("she is out", async || mia.get(SESSIONS).await.status == 401).await;
}

#[tokio::test]
async fn redis_tells_the_other_process() {
    let Some(redis) = redis() else { return };
    let (a, b) = two(&[LONG, ("REDIS_URL", &format!("redis://{redis}"))]).await;
    found_acme(&a).await;
    for _ in 0..3 {
        let (here, there) = ada(&a, &b).await;
        here.request("POST", LOG_OUT).await.expect(204);
        assert!(is_out(&here).await);
        eventually("Redis tells it", async || is_out(&there).await).await;
    }
}

#[tokio::test]
async fn the_cache_is_cleared_when_redis_is_back() {
    let Some(redis) = redis() else { return };
    let proxy = TcpProxy::to(&redis).await;
    let (a, b) = two(&[LONG, ("REDIS_URL", &format!("redis://{}", proxy.address()))]).await;
    found_acme(&a).await;
    // Both processes are connected once this arrives.
    let (here, there) = ada(&a, &b).await;
    here.request("POST", LOG_OUT).await.expect(204);
    eventually("Redis tells it", async || is_out(&there).await).await;

    proxy.cut();
    let (here, there) = ada(&a, &b).await;
    here.request("POST", LOG_OUT).await.expect(204);
    assert!(is_out(&here).await && !is_out(&there).await);
    is_refused_to_write(&there).await;
    eventually("it is told, once", async || {
        b.log().matches("Redis unavailable for cache invalidation").count() == 1
    })
    .await;

    proxy.restore();
    eventually("everything is asked again", async || is_out(&there).await).await;
    eventually("it is told", async || b.log().contains("Redis available again for cache invalidation")).await;
}

#[tokio::test]
async fn without_redis_everything_works_and_one_line_says_so() {
    let (a, b) = two(&[("REDIS_URL", "redis://:hunter2@127.0.0.1:1")]).await;
    found_acme(&a).await;
    for _ in 0..2 {
        let (here, there) = ada(&a, &b).await;
        here.request("POST", LOG_OUT).await.expect(204);
        assert!(is_out(&here).await);
        eventually("the other process notices", async || is_out(&there).await).await;
    }
    eventually("it is told", async || a.log().contains("Redis unavailable for cache invalidation")).await;
    let log = String::from_utf8(a.terminate().await.stderr).unwrap();
    assert_eq!(log.matches("Redis unavailable for cache invalidation").count(), 1, "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn a_redis_url_that_is_none_is_a_fault_of_the_configuration() {
    let output = TestEnv::new().await.insula(
        &["serve", "--port", "0"],
        &[("REDIS_URL", "http://:hunter2@example.com"), ("RUST_LOG", "off")],
    );
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{complaint}");
    assert!(complaint.contains("REDIS_URL: ") && !complaint.contains("hunter2"), "{complaint}");
}
