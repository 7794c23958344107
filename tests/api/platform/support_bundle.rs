//! `insula support-bundle`: what is in the archive, and what is not.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use flate2::read::GzDecoder;
use insula_tests::{PASSWORD, Server, TestEnv, eventually};
use serde_json::{Value, json};

const SECRET_KEY: &str = "Zq3vT8rLw1xN6bHy0cJmKd5sFgPa9uEi2oRtYkWnQ4hM";
const SMTP_PASSWORD: &str = "swordfish-of-the-mail-server";
const HEADER: &str = "opensesame";

/// The files of an archive by name.
fn unpack(archive: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(archive).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        (name.strip_prefix("insula-support/").expect("one folder").to_owned(), text)
    });
    entries.collect()
}

fn json_of(files: &BTreeMap<String, String>, name: &str) -> Value {
    serde_json::from_str(&files[name]).unwrap_or_else(|error| panic!("{name}: {error}: {}", files[name]))
}

#[tokio::test]
async fn a_bundle_answers_an_issue_and_contains_no_secret_and_no_person() {
    let env = TestEnv::migrated().await;
    let logs = env.folder().join("log");
    let smtp = format!("smtp://insula:{SMTP_PASSWORD}@127.0.0.1:1?tls=none");
    let mut envs = vec![
        ("INSULA_LOG_DIR", logs.to_str().unwrap().to_owned()),
        ("INSULA_SECRET_KEY", SECRET_KEY.to_owned()),
        ("INSULA_FIRST_SUPERUSER_EMAIL", "root@example.com".to_owned()),
        ("INSULA_FIRST_SUPERUSER_PASSWORD", PASSWORD.to_owned()),
        ("INSULA_ABUSE_CONTACT", "Grace <abuse@example.org>".to_owned()),
        ("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{HEADER}")),
    ];
    let server = Server::builder().test_env(&env).settings(envs.clone()).start().await;
    let ada = server.client().register("ada@example.com").await;
    let me = ada.get("/api/v1/users/me").await.expect(200);
    let user = me["id"].as_str().unwrap();
    let ops = server.ops_client().await;
    envs.push(("INSULA_OPS_BIND", ops.base().trim_start_matches("http://").to_owned()));
    envs.push(("INSULA_SMTP_URL", smtp));
    eventually("a scheduled task", async || {
        server.database().await.scalar("SELECT count(*) FROM schedules WHERE name = 'purge-jobs'").await > 0
    })
    .await;
    let file = logs.join("serve.jsonl");
    eventually("a line", async || fs::read_to_string(&file).unwrap().contains(user)).await;

    // What must never be there is put there.
    let token = ada.token();
    let planted = format!(
        "{}\n",
        json!({ "message": format!("{PASSWORD} of grace@example.org, Bearer {token}, {SECRET_KEY}, from 203.0.113.7") })
    );
    fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(planted.as_bytes()).unwrap();
    let set =
        "UPDATE schedules SET last_error = 'cannot write to grace@example.org' WHERE name = 'purge-jobs'";
    server.database().await.execute(set).await;

    let archive = env.folder().join("bundle.tar.gz");
    let borrowed: Vec<_> = envs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let bundle = || env.insula(&["support-bundle", archive.to_str().unwrap()], &borrowed);
    let output = bundle();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("wrote ") && text.contains("look through the files"), "{text}");
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);

    let files = unpack(&archive);
    let names: Vec<_> = files.keys().filter(|name| !name.contains("-errors.")).map(String::as_str).collect();
    let expected = [
        "configuration.txt",
        "doctor.json",
        "logs/serve.jsonl",
        "metrics.txt",
        "migrations.txt",
        "queues.json",
        "schedules.json",
        "version.json",
    ];
    assert_eq!(names, expected);
    assert_eq!(json_of(&files, "version.json")["environment"], "development");
    let is_log_dir = |line: &str| line.starts_with("INSULA_LOG_DIR ") && line.contains("environment");
    assert!(files["configuration.txt"].lines().any(is_log_dir), "{}", files["configuration.txt"]);
    let checks = json_of(&files, "doctor.json");
    let failed = checks["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
    assert_eq!(failed.map(|check| &check["name"]).collect::<Vec<_>>(), ["mail"]);
    assert!(files["metrics.txt"].contains("http_server_request_duration_seconds_bucket{"));
    assert!(files["migrations.txt"].lines().all(|line| line.starts_with("applied m0")));
    assert_eq!(json_of(&files, "queues.json")[0]["name"], "mail");
    let schedules = json_of(&files, "schedules.json");
    let errors = schedules.as_array().unwrap().iter().filter(|schedule| !schedule["last_error"].is_null());
    let errors: Vec<_> = errors.map(|schedule| &schedule["last_error"]).collect();
    assert_eq!(errors, ["cannot write to (hidden)"]);
    assert!(files["logs/serve.jsonl"].contains("\"path\":\"/api/v1/users/me\""));

    let everything: String = files.into_values().collect();
    for secret in [SECRET_KEY, SMTP_PASSWORD, HEADER, PASSWORD, token, "@example.", "203.0.113.7", user] {
        assert!(!everything.contains(secret), "the bundle contains {secret}");
    }
    if env.is_postgres() {
        assert!(!everything.contains(env.database_url()));
    }

    // It never replaces a file.
    let before = fs::read(&archive).unwrap();
    let again = bundle();
    let text = String::from_utf8_lossy(&again.stderr);
    assert_eq!(again.status.code(), Some(1), "{text}");
    assert!(text.contains("bundle.tar.gz: it exists; choose another name, or remove it"), "{text}");
    assert!(before == fs::read(&archive).unwrap());
}

#[tokio::test]
async fn a_bundle_of_a_broken_installation_says_what_is_broken() {
    let env = TestEnv::on_sqlite();
    let nowhere = [("INSULA_OPS_BIND", "127.0.0.1:1"), ("INSULA_LOG_DIR", "/nowhere/log")];
    let output = env.insula(&["support-bundle", "bundle.tar.gz"], &nowhere);
    assert!(output.status.success(), "{output:?}");
    let files = unpack(&env.folder().join("bundle.tar.gz"));
    assert!(files["database.txt"].contains("there is no file"), "{files:?}");
    assert!(!env.folder().join("insula.db").try_exists().unwrap(), "a bundle creates no database");
    assert!(files["metrics.txt"].contains("cannot connect to 127.0.0.1 port 1"), "{files:?}");
    assert!(files["logs/unreadable.txt"].contains("/nowhere/log"), "{files:?}");
    assert_eq!(json_of(&files, "doctor.json")["ok"], false);

    // Without a name, it is in this folder.
    assert!(env.insula(&["support-bundle"], &[]).status.success());
    let names = fs::read_dir(env.folder()).unwrap().map(|file| file.unwrap().file_name());
    let found = names.filter(|name| name.to_str().unwrap().starts_with("insula-support-2")).count();
    assert_eq!(found, 1);

    let output = env.insula(&["support-bundle", "no-folder/bundle.tar.gz"], &[]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("insula: no-folder/bundle.tar.gz: cannot write it: "), "{text}");
}
