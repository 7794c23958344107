//! Limits of e-mails per organization and per address: excess e-mails wait, and none is lost.

use insula_tests::{Client, Inbox, Server, TestDatabase, TestEnv, eventually};
use serde_json::{Value, json};

/// The e-mails that wait for a limit, as operators see them.
async fn waiting(superuser: &Client) -> Vec<Value> {
    let jobs = superuser.get("/api/v1/admin/jobs?state=pending").await.expect(200);
    jobs["data"].as_array().unwrap().clone()
}

async fn come_to_wait(superuser: &Client, number: usize, limit: &str) {
    eventually(&format!("{number} mails wait"), async || {
        let jobs = waiting(superuser).await;
        let waits = |job: &Value| job["last_error"].as_str().is_some_and(|error| error.contains(limit));
        jobs.len() == number && jobs.iter().all(waits)
    })
    .await;
    for job in waiting(superuser).await {
        assert_eq!((&job["state"], &job["attempts"]), (&json!("pending"), &json!(0)), "{job}");
    }
}

async fn all_are_due(database: &TestDatabase) {
    database.execute("UPDATE outbox SET run_at = created_at WHERE state = 'pending'").await;
}

#[tokio::test]
async fn an_address_gets_emails_up_to_its_limit_and_the_rest_later() {
    let place = TestEnv::new().await;
    let start = || Server::builder().test_env(&place).with_mail();
    let (server, superuser) =
        start().env("INSULA_LIMIT_RECIPIENT_EMAILS", "2/h").start_with_superuser().await;
    let (anybody, inbox) = (server.client(), Inbox::of(&server).await);
    let forgot = async |spelling: &str| {
        let asked = anybody.post("/api/v1/auth/password/forgot", json!({ "email": spelling })).await;
        asked.expect(202);
    };
    server.client().register("ada@example.com").await;
    inbox.last("send_verification").await;
    forgot("ada@example.com").await;
    inbox.last("send_password_reset").await;
    // However it is spelled.
    forgot("ADA@example.com").await;
    come_to_wait(&superuser, 1, "INSULA_LIMIT_RECIPIENT_EMAILS").await;
    // Nobody else waits.
    server.client().register("bob@example.com").await;
    assert_eq!(inbox.last("send_verification").await.to, "bob@example.com");
    come_to_wait(&superuser, 1, "INSULA_LIMIT_RECIPIENT_EMAILS").await;

    server.terminate().await;
    let server = start().start().await;
    all_are_due(&server.database().await).await;
    assert_eq!(Inbox::of(&server).await.last("send_password_reset").await.to, "ada@example.com");
}

#[tokio::test]
async fn an_organization_sends_emails_up_to_its_limit_and_the_rest_later() {
    let place = TestEnv::new().await;
    let start = || Server::builder().test_env(&place).with_mail();
    let (server, superuser) =
        start().env("INSULA_LIMIT_ORGANIZATION_EMAILS", "2/h").start_with_superuser().await;
    let ada = server.client().register("ada@example.com").await;
    server.database().await.execute("UPDATE users SET email_verified_at = created_at").await;
    for slug in ["acme", "globex"] {
        ada.create_organization(slug).await;
    }
    let mut guests = vec!["one@example.com", "two@example.com", "three@example.com", "four@example.com"];
    for guest in &guests {
        ada.invite("acme", guest, &["viewer"]).await.expect(201);
    }
    come_to_wait(&superuser, 2, "INSULA_LIMIT_ORGANIZATION_EMAILS").await;
    // Another organization has a share of its own.
    ada.invite("globex", "five@example.com", &["viewer"]).await.expect(201);
    let mail = Inbox::of(&server).await.last("send_invitation").await;
    assert_eq!(mail.to, "five@example.com");
    let invited = |server: &Server| -> Vec<String> {
        let mails = server.fake_smtp().mails().into_iter();
        mails.filter(|mail| guests.contains(&&*mail.to)).map(|mail| mail.to).collect()
    };
    let mut got = invited(&server);
    assert_eq!(got.len(), 2);

    server.terminate().await;
    let server = start().start().await;
    all_are_due(&server.database().await).await;
    eventually("the others get theirs", async || invited(&server).len() == 2).await;
    got.extend(invited(&server));
    guests.sort_unstable();
    got.sort_unstable();
    assert_eq!(got, guests, "each of them once");
}
