//! A mail server that is unavailable for a while: waiting e-mails lose no attempt and are sent soon after.

use std::time::{Duration, Instant};

use insula_tests::{Client, FakeSmtp, FaultMode, PASSWORD, Server, TcpProxy, TestEnv, eventually};
use serde_json::{Value, json};

const JOBS: &str = "/api/v1/admin/jobs?kind=send_verification&limit=100";

async fn register(client: &Client, name: &str) {
    let new = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
    client.post("/api/v1/auth/register", new).await.expect(201);
}

async fn jobs(superuser: &Client, state: &str) -> Vec<Value> {
    let page = superuser.get(&format!("{JOBS}&state={state}")).await.expect(200);
    page["data"].as_array().unwrap().clone()
}

/// Waits until a job has the reason of its delay.
async fn come_to_wait(superuser: &Client) {
    eventually("the outage is noticed", async || {
        jobs(superuser, "pending").await.iter().any(|job| job["last_error"].is_string())
    })
    .await;
}

/// Of none but that of `but`. One that is being tried counts until it has failed.
async fn no_attempt_counts(superuser: &Client, but: &Value) {
    eventually("no attempt counts", async || {
        let jobs = jobs(superuser, "pending").await;
        jobs.iter().all(|job| job["attempts"] == 0 || job["id"] == *but)
    })
    .await;
}

#[tokio::test]
async fn after_an_outage_each_email_is_sent_once_soon_and_no_attempt_was_counted() {
    const MAILS: usize = 16;
    let (env, fake_smtp) = (TestEnv::new().await, FakeSmtp::start().await);
    let proxy = TcpProxy::to(fake_smtp.address()).await;
    // Two processes, each with a worker of its own.
    let url = format!("smtp://{}", proxy.address());
    let start = || Server::builder().test_env(&env).env("INSULA_SMTP_URL", &url);
    let (server, superuser) = start().start_with_superuser().await;
    let other = start().start().await;
    // One is deferred on its own account: it keeps its schedule.
    fake_smtp.set_mode(FaultMode::Greylist);
    register(&server.client(), "grey").await;
    eventually("it was tried", async || {
        jobs(&superuser, "pending").await.iter().any(|job| job["attempts"].as_u64() > Some(0))
    })
    .await;
    let database = env.database().await;
    let later = "UPDATE outbox SET attempts = 11, run_at = '2100-01-01T00:00:00.000000+00:00' WHERE state = 'pending'";
    assert_eq!(database.execute(later).await, 1);
    let grey = jobs(&superuser, "pending").await[0]["id"].clone();

    proxy.cut();
    for number in 0..MAILS {
        let server = if number % 2 == 0 { &server } else { &other };
        register(&server.client(), &format!("user-{number}")).await;
    }
    come_to_wait(&superuser).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let waiting = jobs(&superuser, "pending").await;
    assert_eq!(waiting.len(), MAILS + 1);
    no_attempt_counts(&superuser, &grey).await;
    // What was tried says why, as an e-mail that comes later.
    let deferred = superuser.get("/api/v1/admin/emails?status=deferred").await.expect(200);
    assert!(!deferred["data"].as_array().unwrap().is_empty());

    fake_smtp.set_mode(FaultMode::Accept);
    proxy.restore();
    let back = Instant::now();
    let mails = fake_smtp.wait_until("all that waited", |mails| mails.len() >= MAILS).await;
    eprintln!("{MAILS} mails left within {:?} of the return", back.elapsed());
    eventually("all are done", async || jobs(&superuser, "pending").await.len() == 1).await;
    let mut to: Vec<_> = mails.iter().map(|mail| &mail.to).collect();
    to.sort_unstable();
    to.dedup();
    assert_eq!((to.len(), fake_smtp.mails().len()), (MAILS, MAILS), "each once");
    let left = &jobs(&superuser, "pending").await[0];
    assert_eq!((&left["id"], &left["attempts"]), (&grey, &json!(11)), "its own schedule");
}

#[tokio::test]
async fn a_server_that_greets_with_421_is_unavailable() {
    let (server, superuser) = Server::builder().with_mail().start_with_superuser().await;
    server.fake_smtp().set_mode(FaultMode::Busy);
    for name in ["ada", "bob"] {
        register(&server.client(), name).await;
    }
    come_to_wait(&superuser).await;
    no_attempt_counts(&superuser, &Value::Null).await;
    let job = jobs(&superuser, "pending").await.into_iter().find(|job| job["last_error"].is_string());
    let job = job.unwrap();
    assert!(job["last_error"].as_str().unwrap().contains("421"), "{job}");
    server.fake_smtp().set_mode(FaultMode::Accept);
    server.fake_smtp().wait_until("both", |mails| mails.len() == 2).await;
}

#[tokio::test]
async fn a_server_that_answers_in_latin_1_gets_each_email_once() {
    let (server, superuser) = Server::builder().with_mail().start_with_superuser().await;
    server.fake_smtp().set_mode(FaultMode::Latin1);
    register(&server.client(), "ada").await;
    register(&server.client(), "bounce").await;
    eventually("both are settled", async || {
        (jobs(&superuser, "done").await.len(), jobs(&superuser, "dead").await.len()) == (1, 1)
    })
    .await;
    let dead = &jobs(&superuser, "dead").await[0];
    assert!(dead["last_error"].as_str().unwrap().contains("550"), "{dead}");
    let to: Vec<_> = server.fake_smtp().mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["ada@example.com"]);
}
