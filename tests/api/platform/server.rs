//! `insula serve`: probes, start, stop, pages, logs.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Stdio},
};

use insula_tests::{Builder, PASSWORD, Process, Server, TestEnv, eventually, insula};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A server as production has it, but for its database login.
fn production() -> Builder {
    Server::builder()
        .env("INSULA_ENVIRONMENT", "production")
        .env("INSULA_SECRET_KEY", "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV")
        .env("INSULA_PUBLIC_URL", "https://insula.example.com")
        .env("INSULA_MIGRATE_ON_START", "true")
        .env("INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN", "false")
}

fn members(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_probes_tell_what_they_are_asked() {
    let server = Server::start().await;
    let ask = async |path| server.client().get(path).await.expect(200);
    assert_eq!(ask("/livez").await, json!({ "status": "ok" }));
    assert_eq!(ask("/readyz").await, json!({ "status": "ready" }));
    let (brief, full, version) = (ask("/healthz").await, ask("/health").await, ask("/version").await);
    assert_eq!(version["name"], "insula");
    assert_eq!(members(&brief), ["status", "timestamp", "version"]);
    assert_eq!(members(&full), ["database", "environment", "status", "timestamp", "version"]);
    for body in [&brief, &full] {
        assert_eq!((&body["status"], &body["version"]), (&json!("ok"), &version["version"]));
        let timestamp = body["timestamp"].as_str().unwrap();
        assert!(
            timestamp.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(timestamp).is_ok(),
            "{timestamp}"
        );
    }
    let system = if server.test_env().is_postgres() { "postgresql" } else { "sqlite" };
    assert_eq!(full["database"], json!({ "system": system, "status": "ok" }));
    assert_eq!(full["environment"], "development");
}

#[tokio::test]
async fn a_server_is_ready_as_soon_as_the_database_is_migrated() {
    let env = TestEnv::new().await;
    let server = Server::builder().test_env(&env).env("INSULA_MIGRATE_ON_START", "false").start().await;
    let anybody = server.client();
    anybody.get("/readyz").await.problem(503, "UNAVAILABLE");
    eventually("the log says why", async || server.log().contains("migrations are pending")).await;
    for alive in ["/livez", "/healthz", "/version"] {
        anybody.get(alive).await.expect(200);
    }
    let nobody = json!({ "email": "ada@example.com", "password": PASSWORD });
    let refused = anybody.post("/api/v1/auth/login", nobody).await;
    refused.problem(503, "UNAVAILABLE");
    assert!(refused.header("retry-after").is_some());
    assert!(env.insula(&["migrate", "up"], &[]).status.success());
    eventually("ready", async || anybody.get("/readyz").await.status == 200).await;
    anybody.register("ada@example.com").await.create_organization("acme").await;
}

#[tokio::test]
async fn a_stop_waits_for_load_balancers_and_requests() {
    let server = Server::builder().env("INSULA_DRAIN_DELAY", "3").start().await;
    let (anybody, address) = (server.client(), server.url("").replace("http://", ""));
    let body = json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
    let (first, rest) = body.split_at(10);
    let mut slow = server.connect().await;
    let head = "POST /api/v1/auth/register HTTP/1.1\r\nhost: insula\r\ncontent-type: application/json\r\n";
    slow.write_all(format!("{head}content-length: {}\r\n\r\n{first}", body.len()).as_bytes()).await.unwrap();

    let after_the_signal = async {
        eventually("not ready", async || anybody.get("/readyz").await.status == 503).await;
        anybody.get("/readyz").await.problem(503, "UNAVAILABLE");
        anybody.get("/api/v1/openapi.json").await.expect(200);
        eventually("deaf", async || TcpStream::connect(&address).await.is_err()).await;
        slow.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let (output, answer) = tokio::join!(server.terminate(), after_the_signal);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    assert_eq!(output.status.code(), Some(0));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("draining") && !log.contains("connections were closed before"), "{log}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let env = TestEnv::new().await;
    let output = env.insula(&["serve", "--port", &port], &[]);
    assert_eq!(output.status.code(), Some(69));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains(&format!("port {port} of 127.0.0.1 is in use")), "{complaint}");
    assert!(complaint.contains("--port"), "{complaint}");
    assert!(!env.folder().join("insula.db").try_exists().unwrap(), "nothing was migrated");
}

#[tokio::test]
async fn an_unreachable_database_is_named() {
    let output =
        insula(&["serve", "--port", "0", "--database-url", "postgres://insula:hunter2@127.0.0.1:1/x"], &[]);
    assert_eq!(output.status.code(), Some(69));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.starts_with("insula: ") && !complaint.contains("hunter2"), "{complaint}");
}

/// The values of `attribute="…"` in a page.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!("{attribute}=\"");
    let parts = page.split(opening.as_str()).skip(1);
    parts.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn the_documentation_needs_nothing_from_elsewhere() {
    let server = Server::start().await;
    let anybody = server.client();
    let redirect = anybody.get("/docs").await;
    assert_eq!((redirect.status, redirect.header("location")), (308, Some("docs/")));

    let page = anybody.get("/docs/").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap().to_owned();
    for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "connect-src 'self'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");

    let html = page.text();
    assert!(html.matches("<script").count() > 0 && html.matches("<style").count() == 0);
    assert_eq!(
        html.matches("<script").count(),
        html.matches("></script>").count(),
        "a script stands in the page"
    );
    for inline in [" style=", " onload=", " onclick=", " onerror=", "javascript:"] {
        assert!(!html.contains(inline), "{inline}");
    }
    let parts = [values(html, "src"), values(html, "href")].concat();
    assert!(parts.len() >= 4, "{parts:?}");
    for part in parts {
        assert!(!part.contains("//"), "{part} is elsewhere");
        let asset = anybody.get(&format!("/docs/{part}")).await;
        assert_eq!((asset.status, asset.header("content-security-policy")), (200, Some(&*policy)), "{part}");
        let known = asset.header("etag").unwrap();
        let again = anybody.get(&format!("/docs/{part}")).header("if-none-match", known).await;
        assert_eq!((again.status, again.text()), (304, ""));
    }
    let script = anybody.get("/docs/start.js").await;
    assert!(script.text().contains("\"../api/v1/openapi.json\""));
}

#[tokio::test]
async fn the_document_is_served_as_it_is_printed_and_committed() {
    let server = Server::start().await;
    let printed = String::from_utf8(insula(&["openapi"], &[]).stdout).unwrap();
    let served = server.client().get("/api/v1/openapi.json").await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), served.expect(200));
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../api/openapi.json"));
    assert!(
        committed.expect("api/openapi.json") == printed,
        "api/openapi.json is stale: write `insula openapi` into it"
    );
}

#[tokio::test]
async fn the_log_of_production_is_json_and_keeps_secrets() {
    let server = production().start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.create_organization("acme").await;
    let projects = "/api/v1/organizations/acme/projects";
    let made = ada.post(projects, json!({ "code": "ENGINE", "name": "Difference" })).await;
    made.expect(201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    ada.get(&format!("{projects}/{id}")).await.expect(200);
    ada.get(&format!("{projects}?secret=hunter2")).await.expect(422);
    let wrong = json!({ "email": "ada@example.com", "password": "hunter2" });
    server.client().post("/api/v1/auth/login", wrong).await.expect(401);
    ada.bearer("hunter2").get(projects).await.expect(401);
    ada.get("/hunter2").header("user-agent", "hunter2").await.expect(404);
    let token = ada.token().to_owned();
    let hash = server.database().await.text("SELECT secret_hash FROM credentials").await;
    let output = server.terminate().await;

    let log = String::from_utf8(output.stderr).unwrap();
    for secret in [PASSWORD, &token, "hunter2", &hash, "ada@example.com", "Difference", "qTzv8Yp1", &id] {
        assert!(!log.contains(secret), "the log tells {secret}:\n{log}");
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert!(
            line["timestamp"].is_string() && line["level"].is_string() && line["target"].is_string(),
            "{line}"
        );
    }
    let made = made.header("x-request-id").unwrap();
    let access: Vec<_> = lines.iter().filter(|line| line["target"] == "insula::access").collect();
    let line = access.iter().find(|line| line["request_id"] == made).unwrap();
    assert_eq!((&line["method"], &line["status"]), (&json!("POST"), &json!(201)));
    assert_eq!(line["path"], "/api/v1/organizations/{org}/projects");
    assert!(line["ms"].is_number() && line["user_id"].is_string(), "{line}");
    assert_eq!(access.len(), 9, "one line for each request:\n{log}");
}

#[tokio::test]
async fn production_keeps_browsers_to_https() {
    let server = production().start().await;
    for path in ["/healthz", "/docs/", "/nowhere"] {
        let header = "strict-transport-security";
        let reply = server.client().get(path).await;
        assert_eq!(reply.header(header), Some("max-age=31536000; includeSubDomains"), "{path}");
    }
    assert_eq!(server.client().get("/health").await.expect(200)["environment"], "production");
}

/// What shells and init systems give a program at first is less than what it may take.
#[tokio::test]
async fn as_many_files_are_opened_as_are_allowed() {
    let env = TestEnv::new().await;
    let serve = env.command(&["serve", "--port", "0"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"ulimit -Sn 100 && ulimit -Hn 500 && exec "$0" "$@""#])
        .arg(serve.get_program())
        .args(serve.get_args())
        .current_dir(env.folder())
        .env_clear()
        .envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process::start(&mut command, "KILL").unwrap();
    let mut lines = BufReader::new(process.pipes().stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("Insula listens on")));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().collect::<Vec<_>>(), ["500", "500", "files"]);
    let mut log = BufReader::new(process.pipes().stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("INSULA_MAX_CONNECTIONS")));
}
