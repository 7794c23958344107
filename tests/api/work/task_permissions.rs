//! Who can update a task: its creator, its assignee, and members who manage all tasks.

use insula_tests::{Client, OrgFixture};
use serde_json::{Value, json};

/// The answer of each operation that changes a task: its status and the missing permission.
async fn answers(who: &Client, path: &str) -> Vec<(u16, Value)> {
    let restore = format!("{path}/restore");
    let mut answers = Vec::new();
    for request in [
        who.patch(path, json!({ "position": 5 })),
        // A member without the permission learns nothing about the body.
        who.patch(path, json!({ "position": "x" })),
        who.delete(path),
        who.request("POST", &restore),
    ] {
        let reply = request.await;
        answers.push((reply.status, reply.json()["permission"].clone()));
    }
    answers
}

#[tokio::test]
async fn creator_and_assignee_can_update_a_task() {
    let org = OrgFixture::start().await;
    let max = org.member(&org.max).await;
    let all = [(200, Value::Null), (422, Value::Null), (204, Value::Null), (200, Value::Null)];
    let draft = json!({ "title": "A", "assignee_id": max });
    let (path, _) = org.created("/tasks", &org.mia.post(&org.path("/tasks"), draft).await);
    for who in [&org.mia, &org.max, &org.admin, &org.owner] {
        assert_eq!(answers(who, &path).await, all);
    }
    // Viewers lack the operation itself.
    let lacks = |status: u16, permission: &str| (status, json!(permission));
    assert_eq!(
        answers(&org.viewer, &path).await,
        [
            lacks(403, "tasks:update"),
            lacks(403, "tasks:update"),
            lacks(403, "tasks:delete"),
            lacks(403, "tasks:delete"),
        ]
    );
    org.viewer.get(&path).await.expect(200);

    // A task of another member can be read but not updated; the answer names the missing permission.
    org.owner.patch(&path, json!({ "assignee_id": null })).await.expect(200);
    let before = org.owner.get(&path).await.expect(200);
    let others = || lacks(403, "tasks:manage_all");
    assert_eq!(answers(&org.max, &path).await, [others(), others(), others(), (404, Value::Null)]);
    let refused = org.max.delete(&path).await.problem(403, "FORBIDDEN");
    assert_eq!(refused["roles_held"], json!(["member"]));
    assert_eq!(refused["roles_that_grant"], json!(["owner", "admin"]));
    assert_eq!(org.max.get(&path).await.expect(200), before);
    org.owner.delete(&path).await.expect(204);
    let restore = format!("{path}/restore");
    org.max.request("POST", &restore).await.problem(403, "FORBIDDEN");
    org.mia.request("POST", &restore).await.expect(200);

    // After assigning a task to another member, a member cannot update it, unless they created it.
    let (path, _) = org.create("/tasks", json!({ "title": "B", "assignee_id": max })).await;
    org.max.patch(&path, json!({ "assignee_id": null })).await.expect(200);
    org.max.patch(&path, json!({ "assignee_id": max })).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn each_permission_allows_its_own() {
    let org = OrgFixture::start().await;
    let (others, _) = org.create("/tasks", json!({ "title": "A" })).await;
    let keeper = org.join_with_permissions("keeper", &["tasks:update", "tasks:manage_all"]).await;
    keeper.patch(&others, json!({ "title": "B" })).await.expect(200);
    for (reply, permission) in [
        (keeper.get(&others).await, "tasks:read"),
        (keeper.get(&org.path("/tasks")).await, "tasks:read"),
        (keeper.post(&org.path("/tasks"), json!({ "title": "x" })).await, "tasks:create"),
        (keeper.post(&org.path("/tasks/bulk"), json!({ "tasks": [] })).await, "tasks:create"),
        (keeper.delete(&others).await, "tasks:delete"),
    ] {
        assert_eq!(reply.problem(403, "FORBIDDEN")["permission"], permission);
    }
}

#[tokio::test]
async fn tasks_of_a_private_project_are_its_members() {
    let org = OrgFixture::start().await;
    let (project, body) =
        org.create("/projects", json!({ "code": "A", "name": "A", "is_private": true })).await;
    let (mia, max) = (org.member(&org.mia).await, org.member(&org.max).await);
    org.owner.put(&format!("{project}/members"), json!({ "members": [mia] })).await.expect(200);
    let draft = json!({ "title": "A", "project_id": body["id"] });
    let (path, task) = org.created("/tasks", &org.mia.post(&org.path("/tasks"), draft.clone()).await);
    for who in [&org.mia, &org.admin, &org.owner] {
        assert_eq!(who.get(&path).await.expect(200), task);
        assert_eq!(who.get(&org.path("/tasks")).await.expect(200)["data"], json!([task]));
    }
    // Others get 404, even the assignee.
    org.owner.patch(&path, json!({ "assignee_id": max })).await.expect(200);
    let of_project = org.path(&format!("/tasks?project_id={}", body["id"].as_str().unwrap()));
    for who in [&org.max, &org.viewer] {
        who.get(&path).await.problem(404, "NOT_FOUND");
        for list in [&org.path("/tasks"), &of_project, &org.path("/tasks?assignee_id=me")] {
            assert_eq!(who.get(list).await.expect(200)["data"], json!([]));
        }
    }
    assert_eq!(
        answers(&org.max, &path).await.iter().map(|(status, _)| *status).collect::<Vec<_>>(),
        [404, 404, 404, 404]
    );
    let (own, _) = org.created("/tasks", &org.max.post(&org.path("/tasks"), json!({ "title": "B" })).await);
    for reply in
        [org.max.post(&org.path("/tasks"), draft.clone()).await, org.max.patch(&own, draft.clone()).await]
    {
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["project_id UNKNOWN_PROJECT"]);
    }
    let several = org.max.post(&org.path("/tasks/bulk"), json!({ "tasks": [draft] })).await.expect(207);
    assert_eq!(several["data"][0]["error"]["errors"][0]["code"], "UNKNOWN_PROJECT");
    // Deleted, it is as little there for them.
    org.owner.delete(&path).await.expect(204);
    org.max.request("POST", &format!("{path}/restore")).await.problem(404, "NOT_FOUND");
    org.mia.request("POST", &format!("{path}/restore")).await.expect(200);
    // A member who leaves the project loses access to their tasks in it.
    org.owner.put(&format!("{project}/members"), json!({ "members": [] })).await.expect(200);
    org.mia.get(&path).await.problem(404, "NOT_FOUND");
}
