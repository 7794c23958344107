//! Who can update a task: its creator, its assignee, and members who manage all tasks.

use insula_tests::{Client, Guild};
use serde_json::{Value, json};

/// The answer of each operation that changes a task: its status and the missing permission.
async fn told(who: &Client, path: &str) -> Vec<(u16, Value)> {
    let restore = format!("{path}/restore");
    let mut told = Vec::new();
    for request in [
        who.patch(path, json!({ "position": 5 })),
        // A member without the permission learns nothing about the body.
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
    let guild = Guild::start().await;
    let max = guild.member(&guild.max).await;
    let all = [(200, Value::Null), (422, Value::Null), (204, Value::Null), (200, Value::Null)];
    let draft = json!({ "title": "A", "assignee_id": max });
    let (path, _) = guild.made("/tasks", &guild.mia.post(&guild.path("/tasks"), draft).await);
    for who in [&guild.mia, &guild.max, &guild.admin, &guild.owner] {
        assert_eq!(told(who, &path).await, all);
    }
    // Viewers lack the operation itself.
    let lacks = |status: u16, permission: &str| (status, json!(permission));
    assert_eq!(
        told(&guild.viewer, &path).await,
        [
            lacks(403, "tasks:update"),
            lacks(403, "tasks:update"),
            lacks(403, "tasks:delete"),
            lacks(403, "tasks:delete"),
        ]
    );
    guild.viewer.get(&path).await.expect(200);

    // Somebody else's: seen, not changed; and it is told what would do.
    guild.owner.patch(&path, json!({ "assignee_id": null })).await.expect(200);
    let before = guild.owner.get(&path).await.expect(200);
    let others = || lacks(403, "tasks:manage_all");
    assert_eq!(told(&guild.max, &path).await, [others(), others(), others(), (404, Value::Null)]);
    let refused = guild.max.delete(&path).await.problem(403, "FORBIDDEN");
    assert_eq!(refused["roles_held"], json!(["member"]));
    assert_eq!(refused["roles_that_grant"], json!(["owner", "admin"]));
    assert_eq!(guild.max.get(&path).await.expect(200), before);
    guild.owner.delete(&path).await.expect(204);
    let restore = format!("{path}/restore");
    guild.max.request("POST", &restore).await.problem(403, "FORBIDDEN");
    guild.mia.request("POST", &restore).await.expect(200);

    // After assigning a task to another member, a member cannot update it, unless they created it.
    let (path, _) = guild.make("/tasks", json!({ "title": "B", "assignee_id": max })).await;
    guild.max.patch(&path, json!({ "assignee_id": null })).await.expect(200);
    guild.max.patch(&path, json!({ "assignee_id": max })).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn each_permission_allows_its_own() {
    let guild = Guild::start().await;
    let (others, _) = guild.make("/tasks", json!({ "title": "A" })).await;
    let keeper = guild.narrow("keeper", &["tasks:update", "tasks:manage_all"]).await;
    keeper.patch(&others, json!({ "title": "B" })).await.expect(200);
    for (reply, permission) in [
        (keeper.get(&others).await, "tasks:read"),
        (keeper.get(&guild.path("/tasks")).await, "tasks:read"),
        (keeper.post(&guild.path("/tasks"), json!({ "title": "x" })).await, "tasks:create"),
        (keeper.post(&guild.path("/tasks/bulk"), json!({ "tasks": [] })).await, "tasks:create"),
        (keeper.delete(&others).await, "tasks:delete"),
    ] {
        assert_eq!(reply.problem(403, "FORBIDDEN")["permission"], permission);
    }
}

#[tokio::test]
async fn tasks_of_a_private_project_are_its_members() {
    let guild = Guild::start().await;
    let (project, body) =
        guild.make("/projects", json!({ "code": "A", "name": "A", "is_private": true })).await;
    let (mia, max) = (guild.member(&guild.mia).await, guild.member(&guild.max).await);
    guild.owner.put(&format!("{project}/members"), json!({ "members": [mia] })).await.expect(200);
    let draft = json!({ "title": "A", "project_id": body["id"] });
    let (path, task) = guild.made("/tasks", &guild.mia.post(&guild.path("/tasks"), draft.clone()).await);
    for who in [&guild.mia, &guild.admin, &guild.owner] {
        assert_eq!(who.get(&path).await.expect(200), task);
        assert_eq!(who.get(&guild.path("/tasks")).await.expect(200)["data"], json!([task]));
    }
    // Others get 404, even the assignee.
    guild.owner.patch(&path, json!({ "assignee_id": max })).await.expect(200);
    let of_project = guild.path(&format!("/tasks?project_id={}", body["id"].as_str().unwrap()));
    for who in [&guild.max, &guild.viewer] {
        who.get(&path).await.problem(404, "NOT_FOUND");
        for list in [&guild.path("/tasks"), &of_project, &guild.path("/tasks?assignee_id=me")] {
            assert_eq!(who.get(list).await.expect(200)["data"], json!([]));
        }
    }
    assert_eq!(
        told(&guild.max, &path).await.iter().map(|(status, _)| *status).collect::<Vec<_>>(),
        [404, 404, 404, 404]
    );
    let (own, _) =
        guild.made("/tasks", &guild.max.post(&guild.path("/tasks"), json!({ "title": "B" })).await);
    for reply in [
        guild.max.post(&guild.path("/tasks"), draft.clone()).await,
        guild.max.patch(&own, draft.clone()).await,
    ] {
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["project_id UNKNOWN_PROJECT"]);
    }
    let several = guild.max.post(&guild.path("/tasks/bulk"), json!({ "tasks": [draft] })).await.expect(207);
    assert_eq!(several["data"][0]["error"]["errors"][0]["code"], "UNKNOWN_PROJECT");
    // Deleted, it is as little there for them.
    guild.owner.delete(&path).await.expect(204);
    guild.max.request("POST", &format!("{path}/restore")).await.problem(404, "NOT_FOUND");
    guild.mia.request("POST", &format!("{path}/restore")).await.expect(200);
    // A member who leaves the project loses access to their tasks in it.
    guild.owner.put(&format!("{project}/members"), json!({ "members": [] })).await.expect(200);
    guild.mia.get(&path).await.problem(404, "NOT_FOUND");
}
