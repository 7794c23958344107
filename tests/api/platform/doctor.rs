//! `insula doctor` with one broken thing at a time, and `insula healthcheck`.

use std::{net::TcpListener, process::Output};

use insula_tests::{FakeSmtp, JobFixture, Server, TestEnv, eventually, redis};
use serde_json::Value;

/// A URL of this machine where nothing listens.
fn closed(scheme: &str) -> String {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("{scheme}://{address}")
}

/// The report of `insula doctor --json`, and the exit code.
fn doctor(env: &TestEnv, arguments: &[&str], envs: &[(&str, &str)]) -> (Value, Option<i32>) {
    let output = env.insula(&[&["doctor", "--json"], arguments].concat(), envs);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (report, output.status.code())
}

/// The checks with this status, by name.
fn names<'a>(report: &'a Value, status: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == status);
    checks.map(|check| check["name"].as_str().unwrap()).collect()
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

/// Only this check has failed; its detail and its fix contain these texts.
#[track_caller]
fn assert_only_failure(report: &(Value, Option<i32>), name: &str, detail: &str, fix: &str) {
    let (report, code) = report;
    assert_eq!(
        (names(report, "failed"), *code, &report["ok"]),
        (vec![name], Some(1), &Value::Bool(false)),
        "{report:#}"
    );
    let check = check(report, name);
    let text = |member: &str| check[member].as_str().unwrap_or_default().to_owned();
    assert!(text("detail").contains(detail) && text("fix").contains(fix), "{check:#}");
}

/// A server that has created its keys, and the environment of its commands.
async fn installation() -> (Server, TestEnv) {
    let env = TestEnv::migrated().await;
    let server = Server::builder().test_env(&env).start().await;
    (server, env)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

// The mail server answers while the command runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_installation_passes_every_check() {
    let (server, env) = installation().await;
    let smtp = FakeSmtp::start().await;
    let (redis_url, smtp_url) =
        (format!("redis://{}", redis().unwrap()), format!("smtp://user:hunter2@{}", smtp.address()));
    let public_url = server.client().base().to_owned();
    let envs = [
        ("REDIS_URL", redis_url.as_str()),
        ("INSULA_SMTP_URL", smtp_url.as_str()),
        ("INSULA_PUBLIC_URL", public_url.as_str()),
    ];
    eventually("the audit log is sealed", async || {
        check(&doctor(&env, &[], &envs).0, "audit log")["status"] == "ok"
    })
    .await;
    let (report, code) = doctor(&env, &[], &envs);
    assert_eq!((names(&report, "failed"), code), (vec![], Some(0)), "{report:#}");
    // The login of the tests owns the tables.
    let warnings = names(&report, "warning");
    assert!(
        warnings
            .iter()
            .all(|name| ["login", "connections", "database", "redis", "open files"].contains(name)),
        "{report:#}"
    );
    for name in
        ["configuration", "disk", "migrations", "signing keys", "clock", "redis clock", "mail", "public URL"]
    {
        assert_eq!(check(&report, name)["status"], "ok", "{name}: {report:#}");
    }
    let version = if env.is_postgres() { "PostgreSQL 1" } else { "SQLite 3" };
    assert!(check(&report, "database")["detail"].as_str().unwrap().starts_with(version), "{report:#}");
    let mail = check(&report, "mail")["detail"].as_str().unwrap();
    assert!(
        mail.contains("the mail server 127.0.0.1") && mail.contains("8BITMIME, SMTPUTF8, AUTH PLAIN"),
        "capabilities: {mail}"
    );
    assert!(!report.to_string().contains("hunter2"), "a password is printed");
}

// The mail server answers while the command runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_redis_or_mail_server_is_found() {
    let env = TestEnv::migrated().await;
    let report = doctor(&env, &[], &[("REDIS_URL", &closed("redis"))]);
    assert_only_failure(&report, "redis", "refused", "Start Redis");
    let url = closed("smtp").replace("smtp://", "smtp://user:hunter2@");
    let report = doctor(&env, &[], &[("INSULA_SMTP_URL", &url)]);
    assert_only_failure(&report, "mail", "refused", "Check host and port");
    assert!(!report.0.to_string().contains("hunter2"));
    // A server without TLS.
    let smtp = FakeSmtp::start().await;
    let report = doctor(&env, &[], &[("INSULA_SMTP_URL", &format!("smtps://{}", smtp.address()))]);
    assert_only_failure(&report, "mail", "", "Check whether the port uses TLS");
}

#[tokio::test]
async fn a_wrong_secret_is_found() {
    let (_server, env) = installation().await;
    let wrong = [("INSULA_SECRET_KEY", "an0ther-k3y-than-th4t-of-the-s3rvers")];
    let report = doctor(&env, &[], &wrong);
    assert_only_failure(&report, "signing keys", "cannot be decrypted", "INSULA_SECRET_KEY_PREVIOUS");
}

#[tokio::test]
async fn a_missing_database_and_pending_migrations_are_found() {
    let env = TestEnv::new().await;
    if !env.is_postgres() {
        let report = doctor(&env, &[], &[]);
        assert_only_failure(&report, "database", "there is no file", "insula migrate up");
        assert!(!env.folder().join("insula.db").try_exists().unwrap(), "a check creates nothing");
    }
    assert!(env.insula(&["migrate", "up"], &[]).status.success());
    assert!(env.insula(&["migrate", "down"], &[]).status.success());
    let report = doctor(&env, &[], &[]);
    assert_only_failure(&report, "migrations", "1 of ", "insula migrate up");
    assert_eq!(check(&report.0, "signing keys")["status"], "skipped");
    let unreachable = closed("postgres").replace("postgres://", "postgres://insula:hunter2@") + "/insula";
    let report = doctor(&env, &[], &[("DATABASE_URL", &unreachable)]);
    assert_only_failure(&report, "database", "does not respond", "Check DATABASE_URL");
}

#[tokio::test]
async fn a_table_without_row_level_security_is_found() {
    let env = TestEnv::migrated().await;
    if !env.is_postgres() {
        let protection = &doctor(&env, &[], &[]).0;
        assert_eq!(check(protection, "protection")["status"], "skipped", "SQLite has no row-level security");
        return;
    }
    env.database().await.execute("ALTER TABLE projects DISABLE ROW LEVEL SECURITY").await;
    let report = doctor(&env, &[], &[]);
    assert_only_failure(
        &report,
        "protection",
        "row security of projects is not enabled",
        "insula migrate up",
    );
    assert!(env.insula(&["migrate", "up"], &[]).status.success());
    assert_eq!(check(&doctor(&env, &[], &[]).0, "protection")["status"], "ok");
}

#[tokio::test]
async fn contradicting_settings_and_few_open_files_are_warnings() {
    let env = TestEnv::migrated().await;
    let envs = [("INSULA_REPLICAS", "3"), ("INSULA_MAX_CONNECTIONS", "100000000")];
    let (report, code) = doctor(&env, &[], &envs);
    assert_eq!((names(&report, "failed"), code), (vec![], Some(0)), "{report:#}");
    for (name, fix) in [("configuration", "Set REDIS_URL"), ("open files", "Raise the hard limit")] {
        let check = check(&report, name);
        assert_eq!(check["status"], "warning", "{check:#}");
        assert!(check["fix"].as_str().unwrap().contains(fix), "{check:#}");
    }
    let report = doctor(
        &env,
        &[],
        &[("INSULA_ENVIRONMENT", "production"), ("INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN", "false")],
    );
    assert_only_failure(&report, "configuration", "INSULA_SECRET_KEY", "Correct these settings");
}

#[tokio::test]
async fn jobs_that_wait_or_are_dead_are_warnings() {
    let env = TestEnv::migrated().await;
    assert_eq!(check(&doctor(&env, &[], &[]).0, "jobs")["status"], "ok");
    for (number, state, detail, fix) in [
        (1, "dead", "1 jobs are dead", "/admin/jobs?state=dead"),
        (2, "pending", "a due job has waited for ", "Start a worker"),
    ] {
        env.database().await.insert_job(&JobFixture::new(number, state)).await;
        let (report, code) = doctor(&env, &[], &[]);
        let jobs = check(&report, "jobs");
        assert_eq!((&jobs["status"], code), (&Value::from("warning"), Some(0)), "{report:#}");
        assert!(jobs["detail"].as_str().unwrap().contains(detail), "{jobs:#}");
        assert!(jobs["fix"].as_str().unwrap().contains(fix), "{jobs:#}");
    }
}

#[tokio::test]
async fn a_log_folder_that_cannot_be_written_is_found() {
    let env = TestEnv::migrated().await;
    let new = env.folder().join("log/insula");
    let report = doctor(&env, &[], &[("INSULA_LOG_DIR", new.to_str().unwrap())]).0;
    assert_ne!(check(&report, "log files")["status"], "failed", "{report:#}");
    let file = env.folder().join("a-file");
    std::fs::write(&file, "").unwrap();
    let report = doctor(&env, &[], &[("INSULA_LOG_DIR", file.to_str().unwrap())]);
    assert_only_failure(&report, "log files", "a-file is no folder", "Correct INSULA_LOG_DIR");
}

#[tokio::test]
async fn the_table_is_plain_text_in_a_pipe() {
    let env = TestEnv::migrated().await;
    let output: Output = env.insula(&["doctor"], &[("REDIS_URL", &closed("redis"))]);
    let (table, complaint) = (text(&output.stdout), text(&output.stderr));
    assert!(!table.contains('\x1b'), "{table:?}");
    assert!(table.lines().any(|line| line.starts_with("ok      migrations ")), "{table}");
    let failed = table.lines().position(|line| line.starts_with("failed  redis ")).unwrap();
    assert!(table.lines().nth(failed + 1).unwrap().trim_start().starts_with("-> Start Redis"), "{table}");
    assert!(complaint.contains("1 of ") && complaint.contains("checks failed"), "{complaint}");
}

#[tokio::test]
async fn an_installation_is_checked_from_outside() {
    let server = Server::start().await;
    let env = TestEnv::on_sqlite();
    let url = server.client().base().to_owned();
    let (report, code) = doctor(&env, &["--url", &url], &[]);
    assert_eq!((names(&report, "failed"), code), (vec![], Some(0)), "{report:#}");
    assert_eq!(names(&report, "warning"), ["connection"], "{report:#}");
    assert_eq!(names(&report, "ok"), ["health", "readiness", "version", "headers", "openapi"], "{report:#}");
    // A server of something else.
    let ops = server.ops_client().await.base().to_owned();
    let (report, code) = doctor(&env, &["--url", &ops], &[]);
    assert_eq!(code, Some(1));
    assert_eq!(names(&report, "failed"), ["health", "version", "headers", "openapi"], "{report:#}");
    // No TLS, and nothing at all.
    let report = doctor(&env, &["--url", &url.replace("http://", "https://")], &[]);
    assert_only_failure(&report, "connection", "TLS with 127.0.0.1", "certificate");
    assert_only_failure(
        &doctor(&env, &["--url", &closed("http")], &[]),
        "connection",
        "refused",
        "Check the URL",
    );
}

#[tokio::test]
async fn a_server_that_waits_for_migrations_is_not_ready_from_outside() {
    let env = TestEnv::new().await;
    let server = Server::builder().test_env(&env).env("INSULA_MIGRATE_ON_START", "false").start().await;
    eventually("it listens", async || server.client().get("/healthz").await.status == 200).await;
    let report = doctor(&env, &["--url", server.client().base()], &[]);
    assert_only_failure(&report, "readiness", "migrations are pending", "reason");
}

#[tokio::test]
async fn a_container_asks_its_process() {
    let (server, env) = installation().await;
    let ops = server.ops_client().await.base().replace("http://", "");
    for arguments in [&["healthcheck"][..], &["healthcheck", "--ready"]] {
        let output = env.insula(arguments, &[("INSULA_OPS_BIND", &ops)]);
        assert_eq!((output.status.code(), text(&output.stdout).trim()), (Some(0), "healthy"), "{output:?}");
    }
    // Without a fixed ops port, the port of the API answers.
    let bind = server.client().base().replace("http://", "");
    let output = env.insula(&["healthcheck"], &[("INSULA_OPS_BIND", "0.0.0.0:0"), ("INSULA_BIND", &bind)]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = env.insula(&["healthcheck"], &[("INSULA_OPS_BIND", &closed("tcp").replace("tcp://", ""))]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("cannot connect"), "{output:?}");
}
