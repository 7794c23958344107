//! `/admin/emails`: the status of e-mails, and sending one again.

use insula_tests::{Client, JobFixture, Server, TestDatabase, UNKNOWN_KIND, eventually};
use serde_json::json;

const EMAILS: &str = "/api/v1/admin/emails";

/// A server on which jobs stay as they are put: those that are planted are of a kind that no worker takes.
async fn quiet() -> (Server, Client, TestDatabase) {
    let (server, superuser) = Server::with_superuser().await;
    let database = server.database().await;
    // These schedules run once after the start. They would remove what is as old as the jobs that are put.
    let operator = server.ops_client().await;
    eventually("old jobs are purged", async || {
        let metrics = operator.get("/metrics").await;
        ["purge-jobs", "purge-emails"].iter().all(|schedule| {
            let run = format!(r#"insula_schedule_runs_total{{name="{schedule}",outcome="done"}}"#);
            metrics.text().contains(&run)
        })
    })
    .await;
    (server, superuser, database)
}

async fn resend(superuser: &Client, job: &JobFixture) -> insula_tests::Reply {
    superuser.request("POST", &format!("{EMAILS}/{}/resend", job.id())).await
}

#[tokio::test]
async fn emails_are_listed_and_filtered() {
    let (server, superuser, database) = quiet().await;
    let acme = server.client().register("ada@example.com").await.create_organization("acme").await;
    let statuses = ["sent", "deferred", "bounced", "dead", "suppressed"];
    for number in 0..10 {
        let job = JobFixture {
            organization: (number < 2).then(|| acme.id.clone()),
            ..JobFixture::new(number, "dead")
        };
        let to = ["bird@example.com", "Bee@example.com"][number as usize % 2];
        database.insert_email(&job, to, statuses[number as usize % 5]).await;
    }
    let only = "template=pigeon";
    for (filter, number) in [
        ("limit=100", 10),
        ("status=bounced", 2),
        ("to=bird@example.com", 5),
        ("to=Bird@Example.com", 5),
        ("to=Bee@example.com", 5),
        ("to=nobody@example.com", 0),
        (&*format!("organization_id={}", acme.id), 2),
    ] {
        let page = superuser.get(&format!("{EMAILS}?{only}&{filter}")).await.expect(200);
        assert_eq!(page["data"].as_array().unwrap().len(), number, "{filter}");
    }
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = superuser.get(&format!("{EMAILS}?{only}&limit=3{cursor}")).await.expect(200);
        walked.extend(page["data"].as_array().unwrap().iter().map(|mail| mail["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected: Vec<_> = (0..10).rev().map(|number| json!(JobFixture::new(number, "dead").id())).collect();
    assert_eq!(walked, expected);
    let reply = superuser.get(&format!("{EMAILS}?status=lost&to=nobody&x=1")).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert!(reply.faults().contains(&"status NOT_A_CHOICE".to_owned()), "{:?}", reply.faults());
    let reply = superuser.get(&format!("{EMAILS}?to=nobody")).await;
    assert_eq!((reply.status, reply.faults()), (422, vec!["to INVALID_FORMAT".to_owned()]));
    server.client().get(EMAILS).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn an_email_is_sent_again_by_a_copy_of_its_job() {
    let (_server, superuser, database) = quiet().await;
    for (number, (state, status)) in
        (1..).zip([("done", "sent"), ("done", "suppressed"), ("dead", "bounced"), ("dead", "dead")])
    {
        let job = JobFixture { payload: r#"{"n":7}"#, ..JobFixture::new(number, state) };
        database.insert_job(&job).await;
        database.insert_email(&job, "bird@example.com", status).await;
        let again = resend(&superuser, &job).await.expect(202);
        assert_ne!(again["id"], json!(job.id()));
        assert_eq!(
            (&again["kind"], &again["payload"], &again["state"], &again["attempts"]),
            (&json!(UNKNOWN_KIND), &json!({ "n": 7 }), &json!("pending"), &json!(0))
        );
        let stored = superuser.get(&format!("/api/v1/admin/jobs/{}", again["id"].as_str().unwrap())).await;
        assert_eq!(stored.expect(200), again);
        let old = superuser.get(&format!("/api/v1/admin/jobs/{}", job.id())).await.expect(200);
        assert_eq!(old["state"], state);
    }
    let events = "SELECT count(*) FROM audit_events WHERE action = 'email.resent'";
    assert_eq!(database.scalar(events).await, 4);
}

#[tokio::test]
async fn resending_a_pending_email_retries_its_job_now() {
    let (_server, superuser, database) = quiet().await;
    let job = JobFixture { is_waiting: true, ..JobFixture::new(1, "pending") };
    database.insert_job(&job).await;
    database.insert_email(&job, "bird@example.com", "deferred").await;
    let hastened = resend(&superuser, &job).await.expect(202);
    assert_eq!(hastened["id"], json!(job.id()));
    assert!(!hastened["run_at"].as_str().unwrap().starts_with("2100"), "{hastened}");
    let jobs = format!("SELECT count(*) FROM outbox WHERE kind = '{UNKNOWN_KIND}'");
    assert_eq!(database.scalar(&jobs).await, 1);
}

#[tokio::test]
async fn an_email_without_a_job_cannot_be_sent_again() {
    let (server, superuser, database) = quiet().await;
    let job = JobFixture::new(1, "done");
    database.insert_email(&job, "bird@example.com", "sent").await;
    resend(&superuser, &job).await.problem(409, "EMAIL_NOT_KEPT");
    resend(&superuser, &JobFixture::new(2, "done")).await.problem(404, "NOT_FOUND");
    let ada = server.client().register("ada@example.com").await;
    resend(&ada, &job).await.problem(403, "FORBIDDEN");
}
