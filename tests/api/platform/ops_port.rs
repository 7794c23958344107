//! The ops port, which only operators can reach.

use std::net::TcpListener;

use insula_tests::{Server, TestEnv, eventually};
use serde_json::json;

#[tokio::test]
async fn what_a_process_does_is_counted_and_names_nobody() {
    let server = Server::start().await;
    let superuser = server.ops_client().await;
    let ada = server.client().register("ada@example.com").await;
    let acme = ada.create_organization("acme").await;
    ada.get("/api/v1/organizations/acme/projects").await.expect(200);
    ada.get("/api/v1/organizations/nowhere/projects").await.problem(404, "NOT_FOUND");
    let reply = superuser.get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for status in [200, 404] {
        let line = format!(
            "http_server_request_duration_seconds_count{{http_request_method=\"GET\",http_response_status_code=\"{status}\",\
             http_route=\"/api/v1/organizations/{{org}}/projects\",url_scheme=\"http\"}} 1"
        );
        assert!(reply.text().contains(&line), "{line}\n{}", reply.text());
    }
    eventually("schedules ran, jobs were counted", async || {
        let text = superuser.get("/metrics").await.text().to_owned();
        text.contains(r#"insula_schedule_runs_total{name="expire-sessions",outcome="done"} 1"#)
            && text.contains("insula_schedule_duration_seconds_bucket{name=\"expire-sessions\",le=\"")
            && text.contains(r#"insula_jobs_depth{queue="mail",state="pending"} "#)
            && text.contains(r#"insula_jobs_oldest_pending_age_seconds{queue="mail"} "#)
    })
    .await;
    let text = superuser.get("/metrics").await.text().to_owned();
    for name in ["ada@", "acme", "nowhere", &acme.id] {
        assert!(!text.contains(name), "{name} is in\n{text}");
    }
}

#[tokio::test]
async fn the_probes_of_the_ops_port_say_why() {
    let env = TestEnv::new().await;
    let server = Server::builder()
        .test_env(&env)
        .env("INSULA_MIGRATE_ON_START", "false")
        .env("INSULA_DRAIN_DELAY", "2")
        .start()
        .await;
    let superuser = server.ops_client().await;
    superuser.get("/livez").await.expect(200);
    let output = superuser.get("/readyz").await.expect(503);
    assert_eq!(output, json!({ "status": "unavailable", "reason": "migrations are pending" }));
    assert!(env.insula(&["migrate", "up"], &[]).status.success());
    eventually("ready", async || superuser.get("/readyz").await.status == 200).await;
    assert_eq!(superuser.get("/livez").await.expect(200), json!({ "status": "ok" }));
    let draining = async {
        eventually("not ready", async || superuser.get("/readyz").await.status == 503).await;
        assert_eq!(superuser.get("/readyz").await.expect(503)["reason"], "draining");
        superuser.get("/livez").await.expect(200);
        assert_eq!(superuser.get("/metrics").await.status, 200);
    };
    let (ended, ()) = tokio::join!(server.terminate(), draining);
    assert!(ended.status.success());
}

#[tokio::test]
async fn operators_change_what_a_running_process_logs() {
    let server = Server::builder().env("RUST_LOG", "warn").start().await;
    let (operator, client) = (server.ops_client().await, server.client());
    let put = async |filter: &str| operator.request("PUT", "/log-filter").body("text/plain", filter).await;
    let configured = operator.get("/log-filter").await.text().to_owned();
    assert!(configured.contains("warn"), "{configured}");
    client.get("/api/v1/users/me").await.problem(401, "UNAUTHENTICATED");
    assert!(!server.log().contains("insula::access"));

    assert_eq!(put("insula=info").await.status, 204);
    assert!(operator.get("/log-filter").await.text().contains("insula=info"));
    eventually("requests are logged", async || {
        client.get("/api/v1/users/me").await.problem(401, "UNAUTHENTICATED");
        server.log().contains("insula::access")
    })
    .await;
    // Other crates could log what clients send.
    for (filter, text) in [
        ("debug", "only targets of insula"),
        ("insula=debug,hyper=trace", "only targets of insula"),
        ("insula=loud", "the filter must be directives such as insula=debug"),
    ] {
        let refused = put(filter).await;
        assert_eq!((refused.status, refused.text().contains(text)), (400, true), "{}", refused.text());
    }
    assert_eq!(put(&"a=off,".repeat(1000)).await.status, 413);
    assert!(operator.get("/log-filter").await.text().contains("insula=info"));
    operator.delete("/log-filter").await.expect(204);
    assert_eq!(operator.get("/log-filter").await.text(), configured);
}

#[tokio::test]
async fn each_port_answers_what_is_its_own() {
    let server = Server::start().await;
    let anybody = server.client();
    anybody.get("/metrics").await.problem(404, "NOT_FOUND");
    let superuser = server.ops_client().await;
    for path in ["/", "/api/v1/openapi.json", "/healthz", "/docs/"] {
        assert_eq!(superuser.get(path).await.status, 404, "{path}");
    }
    assert_eq!(superuser.post("/metrics", json!({})).await.status, 405);
}

#[tokio::test]
async fn an_ops_port_that_cannot_be_had_is_no_reason_not_to_serve_on_a_desk() {
    // A documentation address (RFC 5737), so never of this machine.
    let server = Server::builder().env("INSULA_OPS_BIND", "192.0.2.1:9090").start().await;
    server.client().get("/healthz").await.expect(200);
    let log = server.log();
    assert!(log.contains("the ops port is not available") && log.contains("INSULA_OPS_BIND"), "{log}");
    let output = String::from_utf8(server.terminate().await.stdout).unwrap();
    assert!(output.contains("Insula listens on ") && !output.contains("ops port"), "{output}");
}

#[tokio::test]
async fn production_has_its_ops_port_or_does_not_serve() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap().to_string();
    let production = [
        ("INSULA_ENVIRONMENT", "production"),
        ("INSULA_SECRET_KEY", "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV"),
        ("INSULA_PUBLIC_URL", "https://insula.example.com"),
        ("INSULA_BIND", "127.0.0.1:0"),
        ("INSULA_OPS_BIND", &bind),
    ];
    let output = TestEnv::new().await.insula(&["serve"], &production);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let output = String::from_utf8(output.stderr).unwrap();
    let complaint = format!("INSULA_OPS_BIND: cannot listen on {bind}");
    assert!(output.contains(&complaint) && output.contains("choose another port"), "{output}");
}

#[tokio::test]
async fn a_log_that_cannot_be_sealed_is_seen_by_its_lag_and_keeps_no_other_waiting() {
    let server = Server::start().await;
    let (superuser, database) = (server.ops_client().await, server.database().await);
    let ada = server.client().register("ada@example.com").await;
    for slug in ["broken", "sound"] {
        ada.create_organization(slug).await;
    }
    let org = |slug: &str| format!("organization_id = (SELECT id FROM organizations WHERE slug = '{slug}')");
    let sealed = async |slug: &str| {
        let unsealed = format!("SELECT count(*) FROM audit_events WHERE seq IS NULL AND {}", org(slug));
        database.scalar(&unsealed).await == 0
    };
    let lag = async || -> f64 {
        let text = superuser.get("/metrics").await.text().to_owned();
        let line = text.lines().find(|line| line.starts_with("insula_audit_flush_lag_seconds"));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
    };
    eventually("both are sealed", async || sealed("broken").await && sealed("sound").await).await;
    // The next event would get a number that another one has.
    let broken = format!("UPDATE audit_heads SET last_seq = 0, checkpointed_seq = 0 WHERE {}", org("broken"));
    assert_eq!(database.execute(&broken).await, 1);
    let project = async |slug: &str, code: &str| {
        let path = format!("/api/v1/organizations/{slug}/projects");
        ada.post(&path, json!({ "code": code, "name": "Engine" })).await.expect(201);
    };
    project("broken", "ONE").await;
    eventually("the lag grows", async || lag().await > 2.0).await;
    let before = lag().await;
    project("sound", "ONE").await;
    eventually("the other log is sealed", async || sealed("sound").await).await;
    eventually("the lag goes on growing", async || lag().await > before + 2.0).await;
    assert!(!sealed("broken").await);
    // Said once, and seen by the lag from then on.
    let log = server.log();
    assert_eq!(log.matches("could not seal an audit log").count(), 1, "{log}");
    // Mended, it is sealed, and nothing lags.
    let mended = format!(
        "UPDATE audit_heads SET last_seq = (SELECT max(seq) FROM audit_events WHERE {0}),
         checkpointed_seq = 1 WHERE {0}",
        org("broken")
    );
    database.execute(&mended).await;
    eventually("it is sealed", async || sealed("broken").await && lag().await < 2.0).await;
}
