//! `/admin/jobs` and `/admin/queues`: listing, retrying and cancelling jobs, and pausing queues.

use std::collections::BTreeMap;

use insula_tests::{Client, JobFixture, Server, TestDatabase, UNKNOWN_KIND, concurrently};
use serde_json::{Value, json};

const JOBS: &str = "/api/v1/admin/jobs";
const MAIL: &str = "/api/v1/admin/queues/mail";

/// A server on which jobs stay as they are put: those that are planted are of a kind that no worker takes.
async fn quiet() -> (Server, Client, TestDatabase) {
    let builder = Server::builder().env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60");
    let (server, superuser) =
        builder.env("INSULA_SMTP_URL", "smtp://127.0.0.1:1").start_with_superuser().await;
    let database = server.database().await;
    (server, superuser, database)
}

fn path(job: &JobFixture) -> String {
    format!("{JOBS}/{}", job.id())
}

async fn post(superuser: &Client, job: &JobFixture, verb: &str) -> insula_tests::Reply {
    superuser.request("POST", &format!("{}/{verb}", path(job))).await
}

async fn events(database: &TestDatabase, action: &str) -> i64 {
    database.scalar(&format!("SELECT count(*) FROM audit_events WHERE action = '{action}'")).await
}

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn only_superusers_see_jobs() {
    let (server, _operator, _vault) = quiet().await;
    let ada = server.client().register("ada@example.com").await;
    let nothing = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";
    server.client().get(JOBS).await.problem(401, "UNAUTHENTICATED");
    // A user without access learns neither that the request is invalid nor that the object does not exist.
    server.database().await.execute("UPDATE users SET email_verified_at = created_at").await;
    for ask in [JOBS.to_owned(), format!("{JOBS}?state=sleepy&x=1"), format!("{JOBS}/{nothing}")] {
        ada.get(&ask).await.problem(403, "FORBIDDEN");
    }
    ada.request("POST", "/api/v1/admin/queues/nothing/pause").await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn the_list_pages_through_every_job_once_and_filters() {
    let (server, superuser, database) = quiet().await;
    let ada = server.client().register("ada@example.com").await;
    database.execute("UPDATE users SET email_verified_at = created_at").await;
    let acme = ada.create_organization("acme").await;
    let states = ["pending", "done", "dead", "cancelled"];
    let inserted: Vec<_> = (0..26)
        .map(|number| JobFixture {
            organization: (number % 3 == 0).then(|| acme.id.clone()),
            ..JobFixture::new(number, states[number as usize % 4])
        })
        .collect();
    for job in &inserted {
        database.insert_job(job).await;
    }
    let only = format!("kind={UNKNOWN_KIND}");
    for (sort, is_backward) in [("created_at", false), ("-created_at", true)] {
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = superuser.get(&format!("{JOBS}?limit=5&{only}&sort={sort}{cursor}")).await.expect(200);
            walked.extend(ids(&page));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let mut expected: Vec<_> = inserted.iter().map(JobFixture::id).collect();
        if is_backward {
            expected.reverse();
        }
        assert_eq!(walked, expected, "{sort}");
    }
    for (filter, number) in [
        ("state=dead".to_owned(), 6),
        (format!("organization_id={}", acme.id), 9),
        ("organization_id=00000000-0000-0000-0000-000000000000".to_owned(), 17),
        (format!("state=pending&organization_id={}", acme.id), 3),
        ("queue=mail".to_owned(), 26),
        ("queue=nowhere".to_owned(), 0),
    ] {
        let page = superuser.get(&format!("{JOBS}?limit=100&{only}&{filter}")).await.expect(200);
        assert_eq!(ids(&page).len(), number, "{filter}");
    }
    // The newest first.
    assert_eq!(
        superuser.get(&format!("{JOBS}?limit=1")).await.expect(200)["data"][0]["kind"],
        "send_verification"
    );
    let page = superuser.get(&format!("{JOBS}?limit=1&{only}")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let other = format!("{JOBS}?limit=1&{only}&state=dead&cursor={cursor}");
    superuser.get(&other).await.problem(422, "INVALID_CURSOR");
}

#[tokio::test]
async fn every_wrong_filter_is_named_at_once() {
    let (_server, superuser, _vault) = quiet().await;
    let reply = superuser.get(&format!("{JOBS}?state=sleepy&queue=Mail!&kind=&sort=run_at&x=1")).await;
    reply.problem(422, "VALIDATION_FAILED");
    let faults = reply.faults();
    for fault in ["kind TOO_SHORT", "queue INVALID_FORMAT", "sort NOT_A_CHOICE", "state NOT_A_CHOICE"] {
        assert!(faults.iter().any(|named| named == fault), "{fault}: {faults:?}");
    }
    let reply = superuser.get(&format!("{JOBS}?organization_id=acme")).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert!(reply.faults()[0].starts_with("organization_id "), "{:?}", reply.faults());
}

#[tokio::test]
async fn a_job_is_shown_without_secret_payload() {
    let (_server, superuser, database) = quiet().await;
    let payload =
        r#"{"user":"0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091","link":"https://x.example/#token=secret","n":3}"#;
    let job = JobFixture { payload, is_leased: true, ..JobFixture::new(1, "pending") };
    database.insert_job(&job).await;
    let seen = superuser.get(&path(&job)).await.expect(200);
    let shown = json!({ "user": "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091", "link": "[redacted]", "n": 3 });
    assert_eq!(seen["payload"], shown);
    assert_eq!((&seen["kind"], &seen["is_running"]), (&json!(UNKNOWN_KIND), &json!(true)));
    assert_eq!(seen["organization_id"], Value::Null);
    assert_eq!(seen["actor"], json!({ "kind": "system", "id": null }));
    assert_eq!((&seen["last_error"], &seen["attempts"]), (&json!("no wind"), &json!(3)));
    assert!(!superuser.get(JOBS).await.text().contains("secret"));
    superuser.get(&path(&JobFixture::new(2, "dead"))).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn retry_and_cancel_depend_on_the_state_of_the_job() {
    let (_server, superuser, database) = quiet().await;
    let plain = |state| JobFixture::new(0, state);
    let waiting = JobFixture { is_waiting: true, ..plain("pending") };
    let leased = JobFixture { is_leased: true, ..plain("pending") };
    // The answer to each, and the state of the job afterwards.
    for (number, (job, verb, status, after)) in (1..).zip([
        (plain("dead"), "retry", "202", "pending 0 0"),
        (plain("cancelled"), "retry", "202", "pending 0 0"),
        (waiting.clone(), "retry", "202", "pending 3 1"),
        (plain("pending"), "retry", "202", "pending 3 1"),
        (leased.clone(), "retry", "202", "pending 3 1"),
        (plain("done"), "retry", "409 JOB_FINISHED", "done 3 1"),
        (plain("pending"), "cancel", "200", "cancelled 3 1"),
        (waiting.clone(), "cancel", "200", "cancelled 3 1"),
        (plain("cancelled"), "cancel", "200", "cancelled 3 1"),
        (leased.clone(), "cancel", "409 JOB_RUNNING", "pending 3 1"),
        (plain("done"), "cancel", "409 JOB_FINISHED", "done 3 1"),
        (plain("dead"), "cancel", "409 JOB_FINISHED", "dead 3 1"),
        (plain("done"), "delete", "204", ""),
        (plain("dead"), "delete", "204", ""),
        (plain("cancelled"), "delete", "204", ""),
        (waiting, "delete", "409 JOB_PENDING", "pending 3 1"),
        (leased, "delete", "409 JOB_PENDING", "pending 3 1"),
    ]) {
        let job = JobFixture { number, ..job };
        database.insert_job(&job).await;
        let reply = match verb {
            "delete" => superuser.delete(&path(&job)).await,
            verb => post(&superuser, &job, verb).await,
        };
        let code = reply.json()["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!(format!("{} {code}", reply.status).trim(), status, "{verb} {job:?}");
        let now = superuser.get(&path(&job)).await;
        if after.is_empty() {
            now.problem(404, "NOT_FOUND");
            continue;
        }
        let now = now.expect(200);
        let stands =
            format!("{} {} {}", now["state"].as_str().unwrap(), now["attempts"], now["lease_expirations"]);
        assert_eq!((&*stands, &now["last_error"]), (after, &json!("no wind")), "{verb} {job:?}");
        if reply.status < 300 {
            assert_eq!(reply.json(), now, "{verb} {job:?}");
            assert!(!now["run_at"].as_str().unwrap().starts_with("2100") || verb == "cancel", "{now}");
        }
    }
    // What changed nothing left no trace.
    for (action, number) in [("job.retried", 3), ("job.cancelled", 2), ("job.deleted", 3)] {
        assert_eq!(events(&database, action).await, number, "{action}");
    }
    for verb in ["retry", "cancel"] {
        post(&superuser, &JobFixture::new(99, "dead"), verb).await.problem(404, "NOT_FOUND");
    }
    superuser.delete(&path(&JobFixture::new(99, "dead"))).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn the_organization_of_the_job_records_the_change() {
    let (server, superuser, database) = quiet().await;
    let ada = server.client().register("ada@example.com").await;
    database.execute("UPDATE users SET email_verified_at = created_at").await;
    let acme = ada.create_organization("acme").await;
    let job = JobFixture { organization: Some(acme.id.clone()), ..JobFixture::new(1, "dead") };
    database.insert_job(&job).await;
    let shown = post(&superuser, &job, "retry").await.expect(202);
    assert_eq!(shown["organization_id"], json!(acme.id));
    let log = format!(
        "SELECT {} || ' ' || resource_id || ' ' || details FROM audit_events WHERE action = 'job.retried'",
        database.hex("organization_id")
    );
    let details = json!({ "before": { "attempts": 3, "state": "dead" }, "after": { "attempts": 0, "state": "pending" } });
    let events = database.text(&log).await;
    let (head, facts) = events.split_at(events.find('{').unwrap());
    assert_eq!(head, format!("{} {} ", acme.id.replace('-', ""), job.id()));
    assert_eq!(serde_json::from_str::<Value>(facts).unwrap(), details);
}

#[tokio::test]
async fn concurrent_retries_change_the_job_once_and_all_succeed() {
    let (_server, superuser, database) = quiet().await;
    let job = JobFixture::new(1, "dead");
    database.insert_job(&job).await;
    for (verb, status, action) in [("retry", 202, "job.retried"), ("cancel", 200, "job.cancelled")] {
        let replies = concurrently(64, |_| {
            let (superuser, job) = (superuser.clone(), job.clone());
            async move { post(&superuser, &job, verb).await }
        });
        assert!(replies.await.iter().all(|reply| reply.status == status), "{verb}");
        assert_eq!(events(&database, action).await, 1, "{action}");
    }
    let replies = concurrently(64, |_| {
        let delete = superuser.delete(&path(&job));
        async move { delete.await.status }
    });
    let mut tally = BTreeMap::new();
    replies.await.into_iter().for_each(|status| *tally.entry(status).or_insert(0) += 1);
    assert_eq!(tally, BTreeMap::from([(204, 1), (404, 63)]));
}

#[tokio::test]
async fn queues_are_counted_paused_and_resumed() {
    let (_server, superuser, database) = quiet().await;
    let list = async || superuser.get("/api/v1/admin/queues").await.expect(200);
    let empty = json!({ "pending": 0, "done": 0, "dead": 0, "cancelled": 0 });
    let mail = json!({ "name": "mail", "paused_at": null, "jobs": empty, "oldest_pending_at": null });
    assert_eq!(list().await, json!({ "data": [mail] }));
    for (number, state) in (1..).zip(["pending", "pending", "dead", "done", "dead", "dead"]) {
        database.insert_job(&JobFixture::new(number, state)).await;
    }
    let counted = list().await["data"][0].clone();
    assert_eq!(counted["jobs"], json!({ "pending": 2, "done": 1, "dead": 3, "cancelled": 0 }));
    assert!(counted["oldest_pending_at"].as_str().unwrap().starts_with("2026-01-01T00:00:00"), "{counted}");

    superuser.request("POST", &format!("{MAIL}/resume")).await.expect(200);
    assert_eq!(events(&database, "queue.resumed").await, 0);
    for (verb, action, is_paused) in
        [("pause", "queue.paused", true), ("resume", "queue.resumed", false), ("pause", "queue.paused", true)]
    {
        let before = events(&database, action).await;
        let replies = concurrently(16, |_| {
            let request = superuser.request("POST", &format!("{MAIL}/{verb}"));
            async move { request.await.expect(200) }
        });
        let replies = replies.await;
        let standing = list().await["data"][0].clone();
        assert_eq!(standing["paused_at"].is_string(), is_paused);
        assert!(replies.iter().all(|reply| *reply == standing), "{replies:?}");
        assert_eq!(events(&database, action).await, before + 1, "{action}");
    }
    superuser.request("POST", "/api/v1/admin/queues/nowhere/pause").await.problem(404, "NOT_FOUND");
    superuser.request("POST", "/api/v1/admin/queues/nowhere/resume").await.problem(404, "NOT_FOUND");
}
