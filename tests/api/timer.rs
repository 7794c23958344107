//! `O/timer`: one runs at a time.

use insula_tests::{Guild, Server, id, together};
use serde_json::{Value, json};

#[tokio::test]
async fn a_timer_starts_runs_and_stops() {
    let guild = Guild::start().await;
    let project = guild.project("ENGINE").await;
    let running = async || guild.mia.get(&guild.path("/timer")).await.expect(200)["running"].clone();
    assert_eq!(running().await, Value::Null);
    guild.mia.request("POST", &guild.path("/timer/stop")).await.problem(409, "TIMER_NOT_RUNNING");

    let started = guild
        .mia
        .post(&guild.path("/timer/start"), json!({ "project_code": "ENGINE", "activity": "Design" }))
        .await;
    let body = started.expect(201);
    assert_eq!((&body["project_id"], &body["source"]), (&json!(project), &json!("timer")));
    assert_eq!((&body["ended_at"], &body["duration_seconds"]), (&Value::Null, &Value::Null));
    assert_eq!(running().await, body);
    assert_eq!(guild.mia.get(started.header("location").unwrap()).await.expect(200), body);
    guild.mia.post(&guild.path("/timer/start"), json!({})).await.problem(409, "TIMER_RUNNING");
    // It can be told of while it runs.
    let path = guild.path(&format!("/time-entries/{}", id(&body)));
    guild.mia.patch(&path, json!({ "notes": "drawing" })).await.expect(200);

    let stopped = guild.mia.request("POST", &guild.path("/timer/stop")).await;
    let body = stopped.expect(200);
    assert_eq!(
        (&body["notes"], &body["version"], stopped.header("etag")),
        (&json!("drawing"), &json!(3), Some("\"3\""))
    );
    assert!(body["ended_at"].as_str().unwrap() >= body["started_at"].as_str().unwrap(), "{body}");
    assert!(body["duration_seconds"].as_i64().unwrap() >= 0);
    assert_eq!(running().await, Value::Null);
    // Another one may begin.
    guild.mia.post(&guild.path("/timer/start"), json!({})).await.expect(201);
    let own = guild.own();
    let told = format!(
        "SELECT action FROM audit_events WHERE resource = 'time_entry' AND {own} ORDER BY occurred_at, id"
    );
    assert_eq!(
        guild.server.vault().await.texts(&told).await,
        ["time_entry.started", "time_entry.updated", "time_entry.stopped", "time_entry.started"]
    );
}

/// Each member has their own timer.
#[tokio::test]
async fn a_timer_is_its_members_alone() {
    let guild = Guild::start().await;
    guild.mia.post(&guild.path("/timer/start"), json!({})).await.expect(201);
    assert_eq!(guild.admin.get(&guild.path("/timer")).await.expect(200)["running"], Value::Null);
    guild.admin.request("POST", &guild.path("/timer/stop")).await.problem(409, "TIMER_NOT_RUNNING");
    guild.admin.post(&guild.path("/timer/start"), json!({})).await.expect(201);
    // Who sees time may not count it.
    let refused = guild.viewer.post(&guild.path("/timer/start"), json!({})).await.problem(403, "FORBIDDEN");
    assert_eq!(refused["permission"], "time_entries:create");
}

#[tokio::test]
async fn what_ran_too_long_is_ended_by_saying_when() {
    let guild = Guild::start().await;
    guild.settle(json!({ "time_entry_max_hours": 2 })).await;
    let started = json!({ "started_at": "2026-03-02T08:00:00Z" });
    let body = guild.mia.post(&guild.path("/timer/start"), started).await.expect(201);
    let reply = guild.mia.request("POST", &guild.path("/timer/stop")).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["ended_at ENTRY_TOO_LONG"]);
    let path = guild.path(&format!("/time-entries/{}", id(&body)));
    let ended = guild.mia.patch(&path, json!({ "ended_at": "2026-03-02T09:30:00Z" })).await.expect(200);
    assert_eq!(ended["duration_seconds"], 5400);
    guild.mia.request("POST", &guild.path("/timer/stop")).await.problem(409, "TIMER_NOT_RUNNING");
}

#[tokio::test]
async fn a_timer_that_comes_back_meets_the_one_that_runs() {
    let guild = Guild::start().await;
    let first = guild.mia.post(&guild.path("/timer/start"), json!({})).await.expect(201);
    let path = guild.path(&format!("/time-entries/{}", id(&first)));
    guild.mia.delete(&path).await.expect(204);
    guild.mia.post(&guild.path("/timer/start"), json!({})).await.expect(201);
    guild.mia.request("POST", &format!("{path}/restore")).await.problem(409, "TIMER_RUNNING");
}

#[tokio::test]
async fn of_those_started_at_once_one_runs() {
    let server = Server::builder()
        .env("INSULA_MAX_REQUESTS", "1000")
        .env("INSULA_DATABASE_ACQUIRE_TIMEOUT", "60")
        .start()
        .await;
    let guild = Guild::on(server).await;
    let start = |key: Option<usize>| {
        let (mia, path) = (guild.mia.clone(), guild.path("/timer/start"));
        async move {
            let request = mia.post(&path, json!({}));
            match key {
                Some(_) => request.header("idempotency-key", "one").await.told(),
                None => request.await.told(),
            }
        }
    };
    let answers = together(64, |_| start(None)).await;
    let started: Vec<_> = answers.iter().filter(|(status, _)| *status == 201).collect();
    let refused = answers.iter().filter(|(status, body)| *status == 409 && body["error"] == "TIMER_RUNNING");
    assert_eq!((started.len(), refused.count()), (1, 63));
    let running = "SELECT count(*) FROM time_entries WHERE ended_at IS NULL";
    assert_eq!(guild.server.vault().await.scalar(running).await, 1);

    // The same request, asked again and again, is done once, and all get its answer.
    guild.mia.request("POST", &guild.path("/timer/stop")).await.expect(200);
    let answers = together(10, |n| start(Some(n))).await;
    assert!(answers.iter().all(|(status, body)| *status == 201 && body["id"] == answers[0].1["id"]));
}
