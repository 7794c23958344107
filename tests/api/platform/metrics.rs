//! The metrics of a server: names, types, buckets, and a number of series that does not grow with its organizations.

use std::collections::{BTreeMap, BTreeSet};

use insula_tests::{Client, Server, eventually, redis};
use serde_json::json;

/// Every metric of a server with a worker and Redis: its name, with the unit at the end, and its type.
const METRICS: &[(&str, &str)] = &[
    ("db_client_connection_count", "gauge"),
    ("db_client_connection_max", "gauge"),
    ("db_client_connection_pending_requests", "gauge"),
    ("db_client_connection_timeouts_total", "counter"),
    ("db_client_connection_wait_time_seconds", "histogram"),
    ("db_client_operation_duration_seconds", "histogram"),
    ("http_server_active_requests", "gauge"),
    ("http_server_request_duration_seconds", "histogram"),
    ("insula_audit_flush_lag_seconds", "gauge"),
    ("insula_audit_sealed_total", "counter"),
    ("insula_auth_logins_total", "counter"),
    ("insula_jobs_depth", "gauge"),
    ("insula_jobs_oldest_pending_age_seconds", "gauge"),
    ("insula_migrations_pending", "gauge"),
    ("insula_process_file_descriptor_limit", "gauge"),
    ("insula_rate_limit_decisions_total", "counter"),
    ("insula_redis_connected", "gauge"),
    ("insula_schedule_duration_seconds", "histogram"),
    ("insula_schedule_rows_total", "counter"),
    ("insula_schedule_runs_total", "counter"),
    ("insula_sessions_active", "gauge"),
    ("insula_signing_key_rotation_due_seconds", "gauge"),
    ("process_cpu_time_seconds_total", "counter"),
    ("process_memory_usage_bytes", "gauge"),
    ("process_thread_count", "gauge"),
    ("process_unix_file_descriptor_count", "gauge"),
    ("process_uptime_seconds", "gauge"),
    ("tokio_global_queue_depth", "gauge"),
    ("tokio_tasks_alive", "gauge"),
    ("tokio_workers", "gauge"),
    ("tokio_workers_busy_time_seconds_total", "counter"),
];

/// The lines of a scrape.
struct Scrape(String);

impl Scrape {
    async fn of(operator: &Client) -> Self {
        Self(operator.get("/metrics").await.text().to_owned())
    }

    fn types(&self) -> BTreeMap<&str, &str> {
        self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
    }

    /// The series, without their values.
    fn series(&self) -> BTreeSet<&str> {
        let lines = self.0.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect()
    }

    /// The sum of the series with this name and this text in their labels.
    fn value(&self, name: &str, label: &str) -> f64 {
        let lines = self.0.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label)
        });
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }

    /// The upper bounds of a histogram.
    fn bounds(&self, name: &str) -> BTreeSet<&str> {
        let bucket = format!("{name}_bucket");
        let lines = self.0.lines().filter(|line| line.starts_with(&bucket));
        lines.filter_map(|line| line.split_once("le=\"")?.1.split('"').next()).collect()
    }
}

async fn server() -> Server {
    Server::builder().env("REDIS_URL", &format!("redis://{}", redis().unwrap())).start().await
}

/// Requests of a new user in a new organization; the same ones for every organization.
async fn use_organization(server: &Server, slug: &str) {
    let user = server.client().register(&format!("owner-of-{slug}@example.com")).await;
    user.create_organization(slug).await;
    let projects = format!("/api/v1/organizations/{slug}/projects");
    user.post(&projects, json!({ "code": "ONE", "name": "One" })).await.expect(201);
    user.get(&projects).await.expect(200);
    user.get(&format!("/api/v1/organizations/{slug}/members")).await.expect(200);
    // Exports are limited per organization.
    let export = format!("/api/v1/organizations/{slug}/exports/audit-events.jsonl");
    assert_eq!(user.get(&export).await.status, 200);
    user.get(&format!("/api/v1/organizations/{slug}-nowhere/projects")).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn every_metric_has_its_name_type_and_buckets() {
    let server = server().await;
    let operator = server.ops_client().await;
    use_organization(&server, "acme").await;
    let wrong = json!({ "email": "owner-of-acme@example.com", "password": "not the passphrase" });
    server.client().post("/api/v1/auth/login", wrong).await.problem(401, "INVALID_CREDENTIALS");
    eventually("Redis is connected, and every task ran", async || {
        let scrape = Scrape::of(&operator).await;
        scrape.value("insula_redis_connected", "") > 0.0
            && METRICS.iter().all(|(name, _)| scrape.types().contains_key(name))
    })
    .await;
    let scrape = Scrape::of(&operator).await;
    let types = scrape.types();
    for (name, kind) in METRICS {
        assert_eq!(types.get(name), Some(kind), "{name}");
    }
    let bounds = |name| scrape.bounds(name).into_iter().filter(|bound| *bound != "+Inf").collect::<Vec<_>>();
    let database = ["0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1", "10", "5"];
    assert_eq!(bounds("db_client_connection_wait_time_seconds"), database);
    assert_eq!(bounds("db_client_operation_duration_seconds"), database);
    assert_eq!(bounds("http_server_request_duration_seconds").len(), 14);
    assert_eq!(scrape.value("insula_auth_logins_total", "outcome=\"INVALID_CREDENTIALS\""), 1.0);
    assert!(scrape.value("insula_auth_logins_total", "outcome=\"done\"") >= 1.0);
    assert!(scrape.value("insula_rate_limit_decisions_total", "policy=\"write\"") >= 2.0);
    assert!(scrape.value("db_client_operation_duration_seconds_count", "redis") >= 1.0);
    assert!(scrape.value("db_client_connection_wait_time_seconds_count", "pool_name") >= 10.0);
    let [used, idle] = ["used", "idle"]
        .map(|state| scrape.value("db_client_connection_count", &format!("state=\"{state}\"")));
    let max = scrape.value("db_client_connection_max", "");
    assert!(used + idle >= 1.0 && used + idle <= max, "{used} used, {idle} idle, at most {max}");
    assert_eq!(scrape.value("insula_migrations_pending", ""), 0.0);
    let due = scrape.value("insula_signing_key_rotation_due_seconds", "");
    assert!((7_770_000.0..=7_776_000.0).contains(&due), "{due}");
    assert!(scrape.value("process_memory_usage_bytes", "") > 1e6);
    assert!(scrape.value("process_cpu_time_seconds_total", "cpu_mode=\"user\"") > 0.0);
    let files = scrape.value("process_unix_file_descriptor_count", "");
    assert!(files > 5.0 && files < scrape.value("insula_process_file_descriptor_limit", ""), "{files}");
    assert!(scrape.value("tokio_workers", "") >= 1.0 && scrape.value("tokio_tasks_alive", "") >= 1.0);
}

#[tokio::test]
async fn twice_as_many_organizations_have_no_more_series() {
    let server = server().await;
    let operator = server.ops_client().await;
    let all_ran = async || {
        Scrape::of(&operator).await.series().iter().filter(|one| one.contains("schedule_rows_total")).count()
            >= 10
    };
    eventually("every task ran", all_ran).await;
    for number in 0..4 {
        use_organization(&server, &format!("first-{number}")).await;
    }
    // Their first e-mails are sent in the background.
    let emails = async || Scrape::of(&operator).await.value("insula_emails_total", "") >= 4.0;
    eventually("the welcome e-mails are sent", emails).await;
    let before = Scrape::of(&operator).await;
    for number in 0..4 {
        use_organization(&server, &format!("second-{number}")).await;
    }
    let after = Scrape::of(&operator).await;
    assert!(before.series().len() > 100);
    // The first failure of a kind adds series, for example when Redis responds late on a busy machine.
    let (known, series) = (before.series(), after.series());
    let new: Vec<_> = series.difference(&known).filter(|one| !one.contains("error_type=")).collect();
    assert!(new.is_empty(), "{new:#?}");
    for name in ["first-", "second-", "owner-of"] {
        assert!(!after.0.contains(name), "{name} is in\n{}", after.0);
    }
}

#[tokio::test]
async fn pending_migrations_and_a_lost_redis_are_shown() {
    // Port 1 of the loopback interface: nothing listens there.
    let server = Server::builder()
        .test_env(&insula_tests::TestEnv::new().await)
        .env("INSULA_MIGRATE_ON_START", "false")
        .env("REDIS_URL", "redis://127.0.0.1:1")
        .start()
        .await;
    let operator = server.ops_client().await;
    eventually("Redis is tried", async || {
        Scrape::of(&operator).await.types().contains_key("insula_redis_connected")
    })
    .await;
    let scrape = Scrape::of(&operator).await;
    assert_eq!(scrape.value("insula_migrations_pending", ""), 1.0);
    assert_eq!(scrape.value("insula_redis_connected", ""), 0.0);
    assert!(!scrape.types().contains_key("insula_signing_key_rotation_due_seconds"), "there is no key yet");
}
