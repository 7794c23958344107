//! Whose task it is to change: his who made it, his who is to do it, and of those who manage all.

use insula_tests::{Client, Crew};
use serde_json::{Value, json};

/// What each of the operations that change a task says to somebody: its status, and what he lacks.
async fn told(who: &Client, path: &str) -> Vec<(u16, Value)> {
    let restore = format!("{path}/restore");
    let mut told = Vec::new();
    for request in [
        who.patch(path, json!({ "position": 5 })),
        // Nobody learns about a body that he may not send.
        who.patch(path, json!({ "position": "x" })),
        who.delete(path),
        who.request("POST", &restore),
    ] {
        let reply = request.await;
        told.push((reply.status, reply.json()["permission"].clone()));
    }
    told
}

#[tokio::test]
async fn a_task_is_changed_by_whose_it_is() {
    let crew = Crew::start().await;
    let max = crew.member(&crew.max).await;
    let all = [(200, Value::Null), (422, Value::Null), (204, Value::Null), (200, Value::Null)];
    let draft = json!({ "title": "A", "assignee_id": max });
    let (path, _) = crew.made("/tasks", crew.mia.post(&crew.path("/tasks"), draft).await);
    for who in [&crew.mia, &crew.max, &crew.admin, &crew.owner] {
        assert_eq!(told(who, &path).await, all);
    }
    // Viewers lack the operation itself.
    let lacks = |status: u16, permission: &str| (status, json!(permission));
    assert_eq!(
        told(&crew.viewer, &path).await,
        [
            lacks(403, "tasks:update"),
            lacks(403, "tasks:update"),
            lacks(403, "tasks:delete"),
            lacks(403, "tasks:delete"),
        ]
    );
    crew.viewer.get(&path).await.expect(200);

    // Somebody else's: seen, not changed; and it is told what would do.
    crew.owner.patch(&path, json!({ "assignee_id": null })).await.expect(200);
    let before = crew.owner.get(&path).await.expect(200);
    let others = || lacks(403, "tasks:manage_all");
    assert_eq!(told(&crew.max, &path).await, [others(), others(), others(), (404, Value::Null)]);
    let refused = crew.max.delete(&path).await.problem(403, "FORBIDDEN");
    assert_eq!(refused["roles_held"], json!(["member"]));
    assert_eq!(refused["roles_that_grant"], json!(["owner", "admin"]));
    assert_eq!(crew.max.get(&path).await.expect(200), before);
    crew.owner.delete(&path).await.expect(204);
    let restore = format!("{path}/restore");
    crew.max.request("POST", &restore).await.problem(403, "FORBIDDEN");
    crew.mia.request("POST", &restore).await.expect(200);

    // Whoever gives his task away is rid of it, unless he made it.
    let (path, _) = crew.make("/tasks", json!({ "title": "B", "assignee_id": max })).await;
    crew.max.patch(&path, json!({ "assignee_id": null })).await.expect(200);
    crew.max.patch(&path, json!({ "assignee_id": max })).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn each_permission_allows_its_own() {
    let crew = Crew::start().await;
    let (others, _) = crew.make("/tasks", json!({ "title": "A" })).await;
    let keeper = crew.narrow("keeper", &["tasks:update", "tasks:manage_all"]).await;
    keeper.patch(&others, json!({ "title": "B" })).await.expect(200);
    for (reply, permission) in [
        (keeper.get(&others).await, "tasks:read"),
        (keeper.get(&crew.path("/tasks")).await, "tasks:read"),
        (keeper.post(&crew.path("/tasks"), json!({ "title": "x" })).await, "tasks:create"),
        (keeper.post(&crew.path("/tasks/bulk"), json!({ "tasks": [] })).await, "tasks:create"),
        (keeper.delete(&others).await, "tasks:delete"),
    ] {
        assert_eq!(reply.problem(403, "FORBIDDEN")["permission"], permission);
    }
}

#[tokio::test]
async fn tasks_of_a_private_project_are_its_members() {
    let crew = Crew::start().await;
    let (project, body) =
        crew.make("/projects", json!({ "code": "A", "name": "A", "is_private": true })).await;
    let (mia, max) = (crew.member(&crew.mia).await, crew.member(&crew.max).await);
    crew.owner.put(&format!("{project}/members"), json!({ "members": [mia] })).await.expect(200);
    let draft = json!({ "title": "A", "project_id": body["id"] });
    let (path, task) = crew.made("/tasks", crew.mia.post(&crew.path("/tasks"), draft.clone()).await);
    for who in [&crew.mia, &crew.admin, &crew.owner] {
        assert_eq!(who.get(&path).await.expect(200), task);
        assert_eq!(who.get(&crew.path("/tasks")).await.expect(200)["data"], json!([task]));
    }
    // For others there is nothing, even where it would be his to do.
    crew.owner.patch(&path, json!({ "assignee_id": max })).await.expect(200);
    let of_project = crew.path(&format!("/tasks?project_id={}", body["id"].as_str().unwrap()));
    for who in [&crew.max, &crew.viewer] {
        who.get(&path).await.problem(404, "NOT_FOUND");
        for list in [&crew.path("/tasks"), &of_project, &crew.path("/tasks?assignee_id=me")] {
            assert_eq!(who.get(list).await.expect(200)["data"], json!([]));
        }
    }
    assert_eq!(
        told(&crew.max, &path).await.iter().map(|(status, _)| *status).collect::<Vec<_>>(),
        [404, 404, 404, 404]
    );
    let (own, _) = crew.made("/tasks", crew.max.post(&crew.path("/tasks"), json!({ "title": "B" })).await);
    for reply in
        [crew.max.post(&crew.path("/tasks"), draft.clone()).await, crew.max.patch(&own, draft.clone()).await]
    {
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["project_id UNKNOWN_PROJECT"]);
    }
    let several = crew.max.post(&crew.path("/tasks/bulk"), json!({ "tasks": [draft] })).await.expect(207);
    assert_eq!(several["data"][0]["error"]["errors"][0]["code"], "UNKNOWN_PROJECT");
    // Deleted, it is as little there for them.
    crew.owner.delete(&path).await.expect(204);
    crew.max.request("POST", &format!("{path}/restore")).await.problem(404, "NOT_FOUND");
    crew.mia.request("POST", &format!("{path}/restore")).await.expect(200);
    // Whoever leaves the project leaves his tasks there.
    crew.owner.put(&format!("{project}/members"), json!({ "members": [] })).await.expect(200);
    crew.mia.get(&path).await.problem(404, "NOT_FOUND");
}
