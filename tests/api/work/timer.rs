//! `O/timer`: at most one timer runs per member.

use insula_tests::{Client, OrgFixture, concurrently, id};
use serde_json::{Value, json};

#[tokio::test]
async fn a_timer_starts_runs_and_stops() {
    let org = OrgFixture::start().await;
    let project = org.create_project("ENGINE").await;
    let running = async || org.mia.get(&org.path("/timer")).await.expect(200)["running"].clone();
    assert_eq!(running().await, Value::Null);
    org.mia.request("POST", &org.path("/timer/stop")).await.problem(409, "TIMER_NOT_RUNNING");

    let started = org
        .mia
        .post(&org.path("/timer/start"), json!({ "project_code": "ENGINE", "activity": "Design" }))
        .await;
    let body = started.expect(201);
    assert_eq!((&body["project_id"], &body["source"]), (&json!(project), &json!("timer")));
    assert_eq!((&body["ended_at"], &body["duration_seconds"]), (&Value::Null, &Value::Null));
    assert_eq!(running().await, body);
    assert_eq!(org.mia.get(started.header("location").unwrap()).await.expect(200), body);
    org.mia.post(&org.path("/timer/start"), json!({})).await.problem(409, "TIMER_RUNNING");
    // A running timer can be updated.
    let path = org.path(&format!("/time-entries/{}", id(&body)));
    org.mia.patch(&path, json!({ "notes": "drawing" })).await.expect(200);

    let stopped = org.mia.request("POST", &org.path("/timer/stop")).await;
    let body = stopped.expect(200);
    assert_eq!(
        (&body["notes"], &body["version"], stopped.header("etag")),
        (&json!("drawing"), &json!(3), Some("\"3\""))
    );
    assert!(body["ended_at"].as_str().unwrap() >= body["started_at"].as_str().unwrap(), "{body}");
    assert!(body["duration_seconds"].as_i64().unwrap() >= 0);
    assert_eq!(running().await, Value::Null);
    // Another one may begin.
    org.mia.post(&org.path("/timer/start"), json!({})).await.expect(201);
    let own = org.own_rows();
    let recorded = format!(
        "SELECT action FROM audit_events WHERE resource = 'time_entry' AND {own} ORDER BY occurred_at, id"
    );
    assert_eq!(
        org.server.database().await.texts(&recorded).await,
        ["time_entry.started", "time_entry.updated", "time_entry.stopped", "time_entry.started"]
    );
}

/// Each member has their own timer.
#[tokio::test]
async fn a_timer_is_its_members_alone() {
    let org = OrgFixture::start().await;
    org.mia.post(&org.path("/timer/start"), json!({})).await.expect(201);
    assert_eq!(org.admin.get(&org.path("/timer")).await.expect(200)["running"], Value::Null);
    org.admin.request("POST", &org.path("/timer/stop")).await.problem(409, "TIMER_NOT_RUNNING");
    org.admin.post(&org.path("/timer/start"), json!({})).await.expect(201);
    // Who sees time may not count it.
    let refused = org.viewer.post(&org.path("/timer/start"), json!({})).await.problem(403, "FORBIDDEN");
    assert_eq!(refused["permission"], "time_entries:create");
}

#[tokio::test]
async fn what_ran_too_long_is_ended_by_saying_when() {
    let org = OrgFixture::start().await;
    org.update_settings(json!({ "time_entry_max_hours": 2 })).await;
    let started = json!({ "started_at": "2026-03-02T08:00:00Z" });
    let body = org.mia.post(&org.path("/timer/start"), started).await.expect(201);
    let reply = org.mia.request("POST", &org.path("/timer/stop")).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["ended_at ENTRY_TOO_LONG"]);
    let path = org.path(&format!("/time-entries/{}", id(&body)));
    let ended = org.mia.patch(&path, json!({ "ended_at": "2026-03-02T09:30:00Z" })).await.expect(200);
    assert_eq!(ended["duration_seconds"], 5400);
    org.mia.request("POST", &org.path("/timer/stop")).await.problem(409, "TIMER_NOT_RUNNING");
}

#[tokio::test]
async fn a_timer_that_comes_back_meets_the_one_that_runs() {
    let org = OrgFixture::start().await;
    let first = org.mia.post(&org.path("/timer/start"), json!({})).await.expect(201);
    let path = org.path(&format!("/time-entries/{}", id(&first)));
    org.mia.delete(&path).await.expect(204);
    org.mia.post(&org.path("/timer/start"), json!({})).await.expect(201);
    org.mia.request("POST", &format!("{path}/restore")).await.problem(409, "TIMER_RUNNING");
}

#[tokio::test]
async fn a_switch_ends_the_running_timer_and_starts_another() {
    let org = OrgFixture::start().await;
    org.update_settings(json!({ "time_entry_overlap": "refuse" })).await;
    let switch =
        async |member: &Client, draft: Value| member.post(&org.path("/timer/start?switch=true"), draft).await;
    // Without a running timer, it only starts one.
    let first = switch(&org.mia, json!({ "activity": "Design", "started_at": "2026-03-02T08:00:00Z" }))
        .await
        .expect(201);
    let second = switch(&org.mia, json!({ "activity": "Build", "started_at": "2026-03-02T09:30:00Z" })).await;
    let second = second.expect(201);
    assert_eq!(org.mia.get(&org.path("/timer")).await.expect(200)["running"], second);
    let path = org.path(&format!("/time-entries/{}", id(&first)));
    let first = org.mia.get(&path).await.expect(200);
    assert_eq!(
        (&first["ended_at"], &first["duration_seconds"]),
        (&json!("2026-03-02T09:30:00Z"), &json!(5400))
    );

    // A start before that of the running timer would end it before it began.
    let early = switch(&org.mia, json!({ "started_at": "2026-03-02T09:00:00Z" })).await;
    early.problem(422, "VALIDATION_FAILED");
    assert_eq!(early.faults(), ["started_at OUT_OF_RANGE"]);
    // A timer that ran too long still needs a correction, and nothing is started.
    let late = switch(&org.mia, json!({})).await;
    late.problem(422, "VALIDATION_FAILED");
    assert_eq!(late.faults(), ["ended_at ENTRY_TOO_LONG"]);
    // Neither is anything ended when the new timer is refused.
    let refused =
        switch(&org.mia, json!({ "started_at": "2026-03-02T10:00:00Z", "project_code": "NONE" })).await;
    refused.problem(422, "VALIDATION_FAILED");
    assert_eq!(org.mia.get(&org.path("/timer")).await.expect(200)["running"], second);
    let own = org.own_rows();
    let recorded = format!(
        "SELECT action FROM audit_events WHERE resource = 'time_entry' AND {own} ORDER BY occurred_at, id"
    );
    let recorded = org.server.database().await.texts(&recorded).await;
    assert_eq!(recorded.len(), 3, "{recorded:?}");

    // It changes an entry, which needs its own permission.
    let starter = org.join_with_permissions("sam", &["time_entries:create", "time_entries:read"]).await;
    switch(&starter, json!({})).await.expect(201);
    let refused = switch(&starter, json!({})).await.problem(403, "FORBIDDEN");
    assert_eq!(refused["permission"], "time_entries:update");
}

#[tokio::test]
async fn of_those_switched_at_once_one_runs() {
    let org = OrgFixture::start().await;
    let started = concurrently(16, |_| {
        let (mia, path) = (org.mia.clone(), org.path("/timer/start?switch=true"));
        async move { mia.post(&path, json!({})).await.status }
    })
    .await;
    assert!(started.iter().all(|status| *status == 201), "{started:?}");
    let own = org.own_rows();
    let database = org.server.database().await;
    let count = async |and: &str| -> i64 {
        database.scalar(&format!("SELECT count(*) FROM time_entries WHERE {own} {and}")).await
    };
    assert_eq!((count("").await, count("AND ended_at IS NULL").await), (16, 1));
}

#[tokio::test]
async fn of_those_started_at_once_one_runs() {
    let org = OrgFixture::start().await;
    let start = |key: Option<usize>| {
        let (mia, path) = (org.mia.clone(), org.path("/timer/start"));
        async move {
            let request = mia.post(&path, json!({}));
            match key {
                Some(_) => request.header("idempotency-key", "one").await.outcome(),
                None => request.await.outcome(),
            }
        }
    };
    let answers = concurrently(64, |_| start(None)).await;
    let started: Vec<_> = answers.iter().filter(|(status, _)| *status == 201).collect();
    let refused = answers.iter().filter(|(status, body)| *status == 409 && body["error"] == "TIMER_RUNNING");
    assert_eq!((started.len(), refused.count()), (1, 63));
    let running = "SELECT count(*) FROM time_entries WHERE ended_at IS NULL AND";
    let running = format!("{running} {}", org.own_rows());
    assert_eq!(org.server.database().await.scalar(&running).await, 1);

    // The same request, asked again and again, is done once, and all get its answer.
    org.mia.request("POST", &org.path("/timer/stop")).await.expect(200);
    let answers = concurrently(10, |n| start(Some(n))).await;
    assert!(answers.iter().all(|(status, body)| *status == 201 && body["id"] == answers[0].1["id"]));
}
