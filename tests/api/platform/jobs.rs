//! Jobs that fail, are unknown or cannot run yet; and the worker process.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Duration,
};

use insula_tests::{
    Client, FakeSmtp, FaultMode, Inbox, JobFixture, PASSWORD, Process, Server, TestDatabase, TestEnv,
    UNKNOWN_KIND, eventually,
};
use serde_json::{Value, json};

const JOBS: &str = "/api/v1/admin/jobs";

/// The one job of this kind, as an operator sees it.
async fn job(superuser: &Client, kind: &str) -> Value {
    let page = superuser.get(&format!("{JOBS}?kind={kind}&sort=created_at")).await.expect(200);
    page["data"][0].clone()
}

/// Waits until the job is dead; returns its id.
async fn dead(superuser: &Client, kind: &str) -> Value {
    eventually(&format!("{kind} is given up"), async || job(superuser, kind).await["state"] == "dead").await;
    job(superuser, kind).await
}

async fn register(client: &Client) {
    let new = json!({ "email": "ada@example.com", "password": PASSWORD });
    client.post("/api/v1/auth/register", new).await.expect(201);
}

/// Lets the one job of this kind be due, as often tried and as often lapsed as that.
async fn due(database: &TestDatabase, kind: &str, attempts: u32, lease_expirations: u32) {
    assert_eq!(make_due(database, kind, attempts, lease_expirations).await, 1);
}

/// Makes the pending job due at once, and returns the number of changed rows: 0 when the job is done already.
async fn make_due(database: &TestDatabase, kind: &str, attempts: u32, lease_expirations: u32) -> u64 {
    let changed = format!(
        "UPDATE outbox SET attempts = {attempts}, lease_expirations = {lease_expirations}, run_at = created_at, lease_by = NULL, lease_until = NULL
         WHERE kind = '{kind}' AND state = 'pending'"
    );
    database.execute(&changed).await
}

#[tokio::test]
async fn a_job_that_fails_every_attempt_is_dead_and_keeps_its_error() {
    let (server, superuser) = Server::builder().with_mail().start_with_superuser().await;
    let database = server.database().await;
    server.fake_smtp().set_mode(FaultMode::Refuse);
    register(&server.client()).await;
    let kind = "send_verification";
    eventually("it was tried", async || job(&superuser, kind).await["last_error"].is_string()).await;
    let tried = job(&superuser, kind).await;
    assert_eq!((&tried["state"], &tried["is_running"]), (&json!("pending"), &json!(false)), "{tried}");

    due(&database, kind, 297, 0).await;
    let given_up = dead(&superuser, kind).await;
    assert_eq!(given_up["attempts"], 298);
    let error = given_up["last_error"].as_str().unwrap();
    assert!(error.starts_with("given up after 72 hours: ") && error.contains("451"), "{error}");
    let mails = superuser.get("/api/v1/admin/emails?status=dead").await.expect(200);
    assert_eq!(mails["data"][0]["to"], "ada@example.com");

    // An operator who has mended what was wrong has it done after all.
    server.fake_smtp().set_mode(FaultMode::Accept);
    let path = format!("{JOBS}/{}/retry", given_up["id"].as_str().unwrap());
    superuser.request("POST", &path).await.expect(202);
    server.fake_smtp().wait_for("the mail", |mail| mail.to == "ada@example.com").await;
}

#[tokio::test]
async fn a_job_that_is_unreadable_or_kills_workers_is_dead_at_once() {
    let (server, superuser) = Server::builder().with_mail().start_with_superuser().await;
    let database = server.database().await;
    database.insert_job(&JobFixture { kind: "send_welcome", ..JobFixture::new(1, "pending") }).await;
    let unreadable = dead(&superuser, "send_welcome").await;
    assert_eq!(unreadable["last_error"], "the payload of the job cannot be read");

    server.fake_smtp().set_mode(FaultMode::Refuse);
    register(&server.client()).await;
    let kind = "send_verification";
    eventually("it was tried", async || job(&superuser, kind).await["last_error"].is_string()).await;
    due(&database, kind, 10, 10).await;
    let harmful = dead(&superuser, kind).await;
    assert_eq!(harmful["last_error"], "10 workers stopped while they ran this job");
}

#[tokio::test]
async fn an_unknown_job_kind_waits_for_a_newer_version() {
    let (server, superuser) = Server::builder().with_mail().start_with_superuser().await;
    let (database, inbox) = (server.database().await, Inbox::of(&server).await);
    database
        .insert_job(&JobFixture { kind: UNKNOWN_KIND, attempts: 0, ..JobFixture::new(1, "pending") })
        .await;
    // It is the oldest of all; what comes after it is done.
    register(&server.client()).await;
    inbox.last("send_verification").await;
    eventually("it was looked for jobs", async || {
        database.scalar("SELECT count(*) FROM outbox WHERE state = 'done'").await == 1
    })
    .await;
    let left = job(&superuser, UNKNOWN_KIND).await;
    let seen = (&left["state"], &left["attempts"], &left["is_running"]);
    assert_eq!(seen, (&json!("pending"), &json!(0), &json!(false)), "{left}");

    // As if this were the version that knows it.
    database.execute(&format!("UPDATE outbox SET kind = 'send_welcome' WHERE kind = '{UNKNOWN_KIND}'")).await;
    assert_eq!(dead(&superuser, "send_welcome").await["attempts"], 1);
}

#[tokio::test]
async fn emails_that_waited_for_a_mail_server_are_sent_when_there_is_one() {
    let (env, fake_smtp) = (TestEnv::new().await, FakeSmtp::start().await);
    let start = |url: &str| Server::builder().test_env(&env).env("INSULA_SMTP_URL", url);
    // Nobody listens there.
    let (server, superuser) = start("smtp://127.0.0.1:1").start_with_superuser().await;
    register(&server.client()).await;
    let kind = "send_verification";
    eventually("it was tried", async || job(&superuser, kind).await["last_error"].is_string()).await;
    assert_eq!(job(&superuser, kind).await["state"], "pending");
    // During the outage all users can log in, also unverified ones.
    let ada = server.client().log_in("ada@example.com", PASSWORD).await;
    ada.get("/api/v1/users/me").await.expect(200);
    assert!(server.terminate().await.status.success());

    let server = start(&fake_smtp.url()).start().await;
    // Unless it was sent meanwhile.
    make_due(&server.database().await, kind, 1, 0).await;
    let mail = fake_smtp.wait_for("the mail", |mail| mail.to == "ada@example.com").await;
    let verify = json!({ "token": mail.token, "password": PASSWORD });
    server.client().post("/api/v1/auth/email/verify", verify).await.expect(200);
}

#[tokio::test]
async fn a_template_that_is_broken_fails_the_start_and_says_where() {
    let env = TestEnv::new().await;
    let templates = env.folder().join("templates");
    std::fs::create_dir_all(templates.join("en")).unwrap();
    std::fs::write(templates.join("en/reset.txt"), "Subject: Hello\n\n{{ nmae }}\n").unwrap();
    for arguments in [&["serve", "--port", "0"][..], &["worker"]] {
        let envs = [
            ("INSULA_MAIL_TEMPLATES", templates.to_str().unwrap()),
            ("INSULA_SMTP_URL", "smtp://127.0.0.1:1"),
            ("INSULA_OPS_BIND", "127.0.0.1:0"),
        ];
        let output = env.insula(arguments, &envs);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {complaint}");
        assert!(complaint.contains("en/reset.txt, line 3:"), "{complaint}");
    }
}

#[tokio::test]
async fn a_worker_exits_after_sigterm() {
    let server = Server::builder().argument("--no-worker").start().await;
    let mut command = server.test_env().command(&["worker"]);
    command.env("INSULA_OPS_BIND", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut worker = Process::start(&mut command, "KILL").unwrap();
    let output = BufReader::new(worker.pipes().stdout.take().unwrap());
    assert!(output.lines().map_while(Result::ok).any(|line| line == "Insula worker started"));
    register(&server.client()).await;
    let database = server.database().await;
    eventually("it works", async || {
        database.scalar("SELECT count(*) FROM outbox WHERE state = 'done'").await == 1
    })
    .await;
    worker.signal("TERM");
    // It has nothing to finish.
    let ended = tokio::task::spawn_blocking(move || worker.wait(Duration::from_secs(15))).await.unwrap();
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}
