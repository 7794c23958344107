//! `/organizations/{org}/tasks/bulk`: creating many tasks, each with its own outcome.

use insula_tests::{OrgFixture, concurrently};
use serde_json::{Value, json};

const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

async fn count(org: &OrgFixture) -> (i64, usize) {
    let tasks = org
        .server
        .database()
        .await
        .scalar(&format!("SELECT count(*) FROM tasks WHERE {}", org.own_rows()))
        .await;
    (tasks, org.events("task.created").await.len())
}

#[tokio::test]
async fn of_many_each_has_the_outcome_it_would_have_had_alone() {
    let org = OrgFixture::start().await;
    let (_, project) = org.create("/projects", json!({ "code": "A", "name": "A" })).await;
    let (archived, old) = org.create("/projects", json!({ "code": "B", "name": "B" })).await;
    org.owner.request("POST", &format!("{archived}/archive")).await.expect(200);
    let (_, tag) = org.create("/tags", json!({ "name": "urgent" })).await;
    let max = org.member(&org.max).await;
    org.owner
        .patch(&org.path(&format!("/members/{max}")), json!({ "status": "suspended" }))
        .await
        .expect(200);
    let rows = [
        json!({ "title": "one", "project_id": project["id"], "tags": [tag["id"]], "assignee_id": org.member(&org.mia).await }),
        json!({ "title": " " }),
        json!({ "title": "two", "project_id": NOTHING, "assignee_id": NOTHING, "tags": [tag["id"], NOTHING] }),
        json!({ "title": "three", "project_id": old["id"] }),
        json!({ "title": "four", "assignee_id": max }),
        json!({ "title": "five", "project_id": project["id"] }),
        json!({ "title": "six", "status": "done", "position": 3 }),
        json!({ "title": "seven" }),
    ];
    let outcomes = org.mia.post(&org.path("/tasks/bulk"), json!({ "tasks": rows })).await.expect(207);
    let outcomes = outcomes["data"].as_array().unwrap();
    let texts = outcomes.iter().map(|outcome| {
        let error = &outcome["error"];
        assert_eq!(
            (outcome["id"].is_null(), error.is_null()),
            (outcome["status"] != 201, outcome["status"] == 201)
        );
        let errors = error["errors"].as_array().into_iter().flatten();
        let errors: Vec<_> = errors
            .map(|fault| format!(" {} {}", fault["field"].as_str().unwrap(), fault["code"].as_str().unwrap()))
            .collect();
        format!("{} {}{}", outcome["status"], error["error"].as_str().unwrap_or_default(), errors.concat())
    });
    assert_eq!(
        texts.collect::<Vec<_>>(),
        [
            "201 ",
            "422 VALIDATION_FAILED title TOO_SHORT",
            "422 VALIDATION_FAILED project_id UNKNOWN_PROJECT assignee_id UNKNOWN_MEMBER tags[1] UNKNOWN_TAG",
            "409 PROJECT_ARCHIVED project_id PROJECT_ARCHIVED",
            "422 VALIDATION_FAILED assignee_id INACTIVE_MEMBER",
            "201 ",
            "201 ",
            "201 ",
        ]
    );
    let made = async |place: usize| {
        let path = org.path(&format!("/tasks/{}", outcomes[place]["id"].as_str().unwrap()));
        org.viewer.get(&path).await.expect(200)
    };
    let (one, five, six, seven) = (made(0).await, made(5).await, made(6).await, made(7).await);
    assert_eq!(
        (&one["title"], &one["tags"], &one["position"]),
        (&json!("one"), &json!([tag["id"]]), &json!(1024))
    );
    // Each behind the last one of its project.
    assert_eq!(
        (&five["position"], &six["position"], &seven["position"]),
        (&json!(2048), &json!(3), &json!(1027))
    );
    assert_eq!((&six["completed_at"], &seven["completed_at"]), (&six["created_at"], &Value::Null));
    let facts = org.events("task.created").await;
    let titles: Vec<_> = facts.iter().map(|facts| facts["after"]["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["one", "five", "six", "seven"], "each tells of itself");
}

#[tokio::test]
async fn the_same_request_twice_is_done_once_also_at_once() {
    let org = OrgFixture::start().await;
    let bulk = org.path("/tasks/bulk");
    // As long as they may be: the answer is remembered all the same.
    let long = "x".repeat(9_000);
    let body = json!({ "tasks": (0..100).map(|n| json!({ "title": format!("T{n}"), "description": long })).collect::<Vec<_>>() });
    let answers = concurrently(4, |_| {
        let request = org.mia.post(&bulk, body.clone()).header("idempotency-key", "key-1");
        async move { request.await }
    })
    .await;
    let mut known = None;
    for answer in answers {
        // A request that waits too long gets an error.
        if ![409, 503].contains(&answer.status) {
            let body = answer.expect(207);
            assert_eq!(*known.get_or_insert(body.clone()), body);
        }
    }
    let again = org.mia.post(&bulk, body.clone()).header("idempotency-key", "key-1").await.expect(207);
    assert_eq!(again, known.unwrap());
    assert!(again["data"].as_array().unwrap().iter().all(|outcome| outcome["status"] == 201));
    assert_eq!(count(&org).await, (100, 100));
    let other =
        org.mia.post(&bulk, json!({ "tasks": [{ "title": "x" }] })).header("idempotency-key", "key-1");
    other.await.problem(422, "IDEMPOTENCY_MISMATCH");
    let last = org.mia.get(&org.path("/tasks?sort=-position&limit=1")).await.expect(200);
    assert_eq!((&last["data"][0]["title"], &last["data"][0]["position"]), (&json!("T99"), &json!(102_400)));
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_as_a_whole() {
    let org = OrgFixture::start().await;
    let bulk = org.path("/tasks/bulk");
    let all = |n: usize| json!({ "tasks": (0..n).map(|_| json!({ "title": "x" })).collect::<Vec<_>>() });
    for (body, faults) in [
        (json!({}), vec!["tasks REQUIRED"]),
        (all(0), vec!["tasks TOO_SHORT"]),
        (all(101), vec!["tasks TOO_LONG"]),
        (
            json!({ "tasks": [{ "title": "x" }, {}, { "title": "x", "status": "x" }] }),
            vec!["tasks[1].title REQUIRED", "tasks[2].status NOT_A_CHOICE"],
        ),
    ] {
        let reply = org.mia.post(&bulk, body).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), faults);
    }
    org.viewer.post(&bulk, all(1)).await.problem(403, "FORBIDDEN");
    // All are refused: nothing happens.
    let refused =
        org.mia.post(&bulk, json!({ "tasks": [{ "title": " " }] })).header("idempotency-key", "key-1").await;
    assert_eq!(refused.expect(207)["data"][0]["status"], 422);
    assert_eq!(count(&org).await, (0, 0));
    let policy = refused.header("ratelimit-policy").unwrap();
    assert!(policy.contains("\"bulk\""), "{policy}");
}
