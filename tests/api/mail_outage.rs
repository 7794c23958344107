//! A mail server that is away, and comes back: what waits for it costs no attempt and leaves soon after its return.

use std::time::{Duration, Instant};

use insula_tests::{Client, Mood, PASSWORD, Postbox, Relay, Server, Workplace, eventually};
use serde_json::{Value, json};

const JOBS: &str = "/api/v1/admin/jobs?kind=send_verification&limit=100";

async fn register(client: &Client, name: &str) {
    let new = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
    client.post("/api/v1/auth/register", new).await.expect(201);
}

async fn jobs(operator: &Client, state: &str) -> Vec<Value> {
    let page = operator.get(&format!("{JOBS}&state={state}")).await.expect(200);
    page["data"].as_array().unwrap().clone()
}

/// Waits until somebody has noticed: a job says why it waits.
async fn come_to_wait(operator: &Client) {
    eventually("the outage is noticed", async || {
        jobs(operator, "pending").await.iter().any(|job| job["last_error"].is_string())
    })
    .await;
}

/// Of none but that of `but`. One that is being tried counts until it has failed.
async fn no_attempt_counts(operator: &Client, but: &Value) {
    eventually("no attempt counts", async || {
        let jobs = jobs(operator, "pending").await;
        jobs.iter().all(|job| job["attempts"] == 0 || job["id"] == *but)
    })
    .await;
}

#[tokio::test]
async fn after_an_outage_mails_leave_soon_once_each_and_none_has_cost_an_attempt() {
    const MAILS: usize = 16;
    let (workplace, postbox) = (Workplace::new().await, Postbox::start().await);
    let relay = Relay::to(postbox.address()).await;
    // Two processes, each with a worker of its own.
    let url = format!("smtp://{}", relay.address());
    let start = || Server::builder().workplace(&workplace).env("INSULA_SMTP_URL", &url);
    let (server, operator) = start().start_with_operator().await;
    let other = start().start().await;
    // One is deferred on its own account: it keeps its schedule.
    postbox.be(Mood::Greylist);
    register(&server.client(), "grey").await;
    eventually("it was tried", async || {
        jobs(&operator, "pending").await.iter().any(|job| job["attempts"].as_u64() > Some(0))
    })
    .await;
    let vault = workplace.vault().await;
    let later = "UPDATE outbox SET attempts = 11, run_at = '2100-01-01T00:00:00.000000+00:00' WHERE state = 'pending'";
    assert_eq!(vault.execute(later).await, 1);
    let grey = jobs(&operator, "pending").await[0]["id"].clone();

    relay.cut();
    for number in 0..MAILS {
        let server = if number % 2 == 0 { &server } else { &other };
        register(&server.client(), &format!("user-{number}")).await;
    }
    come_to_wait(&operator).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let waiting = jobs(&operator, "pending").await;
    assert_eq!(waiting.len(), MAILS + 1);
    no_attempt_counts(&operator, &grey).await;
    // What was tried says why, as a mail that comes later.
    let deferred = operator.get("/api/v1/admin/emails?status=deferred").await.expect(200);
    assert!(!deferred["data"].as_array().unwrap().is_empty());

    postbox.be(Mood::Accept);
    relay.mend();
    let back = Instant::now();
    let mails = postbox.wait_until("all that waited", |mails| mails.len() >= MAILS).await;
    eprintln!("{MAILS} mails left within {:?} of the return", back.elapsed());
    eventually("all are done", async || jobs(&operator, "pending").await.len() == 1).await;
    let mut to: Vec<_> = mails.iter().map(|mail| &mail.to).collect();
    to.sort_unstable();
    to.dedup();
    assert_eq!((to.len(), postbox.mails().len()), (MAILS, MAILS), "each once");
    let left = &jobs(&operator, "pending").await[0];
    assert_eq!((&left["id"], &left["attempts"]), (&grey, &json!(11)), "its own schedule");
}

#[tokio::test]
async fn a_server_that_is_busy_when_it_greets_is_away() {
    let (server, operator) = Server::builder().with_mail().start_with_operator().await;
    server.postbox().be(Mood::Busy);
    for name in ["ada", "bob"] {
        register(&server.client(), name).await;
    }
    come_to_wait(&operator).await;
    no_attempt_counts(&operator, &Value::Null).await;
    let job = jobs(&operator, "pending").await.into_iter().find(|job| job["last_error"].is_string());
    let job = job.unwrap();
    assert!(job["last_error"].as_str().unwrap().contains("421"), "{job}");
    server.postbox().be(Mood::Accept);
    server.postbox().wait_until("both", |mails| mails.len() == 2).await;
}

#[tokio::test]
async fn a_server_that_answers_in_latin_1_gets_each_mail_once() {
    let (server, operator) = Server::builder().with_mail().start_with_operator().await;
    server.postbox().be(Mood::Latin1);
    register(&server.client(), "ada").await;
    register(&server.client(), "bounce").await;
    eventually("both are settled", async || {
        (jobs(&operator, "done").await.len(), jobs(&operator, "dead").await.len()) == (1, 1)
    })
    .await;
    let dead = &jobs(&operator, "dead").await[0];
    assert!(dead["last_error"].as_str().unwrap().contains("550"), "{dead}");
    let to: Vec<_> = server.postbox().mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["ada@example.com"]);
}
