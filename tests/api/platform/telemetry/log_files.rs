//! Log files in the folder of `INSULA_LOG_DIR`.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use insula_tests::{Server, TestEnv, eventually};
use serde_json::Value;

const MIB: usize = 1 << 20;

/// The lines of a file, each of which must be a JSON object.
fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// The names of the files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn start(env: &TestEnv, folder: &Path) -> Server {
    Server::builder().test_env(env).env("INSULA_LOG_DIR", folder.to_str().unwrap()).start().await
}

#[tokio::test]
async fn lines_are_in_a_file_and_errors_also_in_that_of_the_day() {
    let env = TestEnv::new().await;
    // It is created, with its parents.
    let folder = env.folder().join("var/log");
    let server = start(&env, &folder).await;
    server.client().get("/api/v1/users/me").await.problem(401, "UNAUTHENTICATED");
    let file = folder.join("serve.jsonl");
    let is_access = |line: &Value| line["target"] == "insula::access";
    eventually("an access line", async || lines(&file).iter().any(is_access)).await;
    let line = lines(&file).into_iter().find(is_access).unwrap();
    for field in ["timestamp", "level", "method", "path", "status", "ms", "request_id", "trace_id", "span_id"]
    {
        assert!(!line[field].is_null(), "{field} in {line}");
    }
    // Unknown paths are only for the console.
    server.client().get("/unknown/hunter2").await.expect(404);
    let is_unknown = |line: &Value| line["path"] == "-";
    eventually("an unknown path", async || lines(&file).iter().any(is_unknown)).await;
    assert!(!fs::read_to_string(&file).unwrap().contains("hunter2"));
    let [today, current] = <[String; 2]>::try_from(names(&folder)).expect("two files");
    assert_eq!(current, "serve.jsonl");
    let day = today.strip_prefix("serve-errors.").and_then(|rest| rest.strip_suffix(".jsonl"));
    assert!(day.is_some_and(|day| day.parse::<chrono::NaiveDate>().is_ok()), "{today}");
    for (path, mode) in [(folder.clone(), 0o700), (file.clone(), 0o600), (folder.join(&today), 0o600)] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
    assert_eq!(lines(&folder.join(&today)), [] as [Value; 0], "no error so far");
    // A table that is missing is an error of the server.
    server.database().await.execute("ALTER TABLE sessions RENAME TO sessions_away").await;
    let login = serde_json::json!({ "email": "ada@example.com", "password": "correct horse battery" });
    server.client().post("/api/v1/auth/register", login.clone()).await;
    let status = server.client().post("/api/v1/auth/login", login).await.status;
    assert_eq!(status, 500);
    eventually("an error", async || !lines(&folder.join(&today)).is_empty()).await;
    assert!(lines(&folder.join(&today)).iter().all(|line| line["level"] == "ERROR"));
    server.database().await.execute("ALTER TABLE sessions_away RENAME TO sessions").await;
    // The last line before the end is in the file, too.
    assert!(server.terminate().await.status.success());
    assert_eq!(lines(&file).last().unwrap()["message"], "stopped");
}

#[tokio::test]
async fn a_full_file_is_kept_and_a_new_one_begins() {
    let env = TestEnv::migrated().await;
    let folder = env.folder().join("log");
    fs::create_dir(&folder).unwrap();
    // Almost full, with the line of an earlier process; and the oldest files that are kept.
    let old = format!("{{\"old\":\"{}\"}}\n", "x".repeat(10 * MIB - 50));
    fs::write(folder.join("serve.jsonl"), &old).unwrap();
    for number in [1, 30] {
        fs::write(folder.join(format!("serve.jsonl.{number}")), "{}\n").unwrap();
    }
    let server = start(&env, &folder).await;
    server.client().get("/api/v1/users/me").await.expect(401);
    let exists = |name: &str| folder.join(name).try_exists().unwrap();
    eventually("a rotation", async || exists("serve.jsonl.2")).await;
    eventually("the oldest file is removed", async || !exists("serve.jsonl.31")).await;
    eventually("lines in the new file", async || !lines(&folder.join("serve.jsonl")).is_empty()).await;
    assert!(fs::metadata(folder.join("serve.jsonl")).unwrap().len() < MIB as u64);
    assert!(fs::metadata(folder.join("serve.jsonl.1")).unwrap().len() >= old.len() as u64);
    assert!(!exists("serve.jsonl.30") && !exists("serve.jsonl.31"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_stops_the_start() {
    let env = TestEnv::migrated().await;
    let file = env.folder().join("a-file");
    fs::write(&file, "").unwrap();
    for folder in [file.join("log"), Path::new("/proc/nowhere/log").to_owned(), file] {
        for command in ["serve", "worker"] {
            let output = env.insula(&[command], &[("INSULA_LOG_DIR", folder.to_str().unwrap())]);
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{text}");
            let start = format!("insula: INSULA_LOG_DIR: cannot write log files in {}", folder.display());
            assert!(text.starts_with(&start) && text.lines().count() == 1, "{text}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_no_request() {
    let env = TestEnv::migrated().await;
    let folder = env.folder().join("log");
    let server = start(&env, &folder).await;
    let ops = server.ops_client().await;
    // Not even the first byte of the next line has room. Reads write nothing else.
    let size = fs::metadata(folder.join("serve.jsonl")).unwrap().len();
    let lost = async || {
        let metrics = ops.get("/metrics").await;
        let line = "insula_logs_dropped_total{destination=\"file\",reason=\"write_failed\"} ";
        let value = metrics.text().lines().find_map(|text| text.strip_prefix(line).map(str::to_owned));
        value.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(lost().await, 0);
    server.limit_files(Some(size.max(1)));
    eventually("a lost line", async || {
        server.client().get("/openapi.json").await.expect(404);
        lost().await > 0
    })
    .await;
    server.limit_files(None);
    eventually("lines again", async || {
        server.client().get("/api/v1/users/me").await.expect(401);
        fs::metadata(folder.join("serve.jsonl")).unwrap().len() > size + 100
    })
    .await;
}
