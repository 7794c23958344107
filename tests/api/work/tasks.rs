//! `/organizations/{organization_id}/tasks`: create, read, update, delete, restore; and their references.

use insula_tests::{OrgFixture, Reply, unique};
use serde_json::{Value, json};

const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

fn etag(reply: &Reply) -> &str {
    reply.header("etag").unwrap()
}

#[tokio::test]
async fn a_new_task_is_what_was_said_and_else_as_usual() {
    let org = OrgFixture::start().await;
    let mia = org.member(&org.mia).await;
    let made = org.mia.post(&org.path("/tasks"), json!({ "title": "  Oil it " })).await;
    let body = made.expect(201);
    let (organization_id, id) = (body["organization_id"].as_str().unwrap(), body["id"].as_str().unwrap());
    assert_eq!(
        made.header("location").unwrap(),
        format!("/api/v1/organizations/{organization_id}/tasks/{id}")
    );
    let mut expected = json!({
        "id": id, "organization_id": organization_id, "title": "Oil it", "description": null, "status": "todo",
        "priority": "normal", "due_at": null, "project_id": null, "assignee_id": null, "created_by": mia,
        "position": 1024, "tags": [], "completed_at": null, "version": 1,
    });
    expected["created_at"] = body["created_at"].clone();
    expected["updated_at"] = body["created_at"].clone();
    expected["deleted_at"] = Value::Null;
    assert_eq!((&body, etag(&made)), (&expected, "\"1\""));
    let read = org.viewer.get(made.header("location").unwrap()).await;
    assert_eq!((read.expect(200), etag(&read)), (body.clone(), "\"1\""));
    let path = org.path(&format!("/tasks/{id}"));
    assert_eq!(org.viewer.get(&path).header("if-none-match", "\"1\"").await.status, 304);

    let (_, project) = org.create("/projects", json!({ "code": "A", "name": "A" })).await;
    let (_, second) = org.create("/tags", json!({ "name": "first" })).await;
    let (_, first) = org.create("/tags", json!({ "name": "second" })).await;
    let whole = json!({
        "title": "Mend it", "description": " All\nof it ", "status": "done", "priority": "urgent",
        "due_at": "2026-02-01T10:00:00.1234567+02:00", "project_id": project["id"], "assignee_id": mia,
        "position": 7, "tags": [first["id"], second["id"]],
    });
    let (path, body) = org.created("/tasks", &org.mia.post(&org.path("/tasks"), whole).await);
    assert_eq!(
        (&body["description"], &body["due_at"], &body["position"], &body["completed_at"]),
        (&json!("All\nof it"), &json!("2026-02-01T08:00:00.123456Z"), &json!(7), &body["created_at"])
    );
    assert_eq!((&body["project_id"], &body["assignee_id"]), (&project["id"], &json!(mia)));
    assert_eq!(body["tags"], json!([second["id"], first["id"]]), "by their ids");
    assert_eq!(org.viewer.get(&path).await.expect(200), body);
    // The next one of the project comes behind the last.
    let (_, next) = org.create("/tasks", json!({ "title": "x", "project_id": project["id"] })).await;
    assert_eq!(next["position"], 1031);
    assert_eq!(org.events("task.created").await.len(), 3);
}

#[tokio::test]
async fn the_same_request_twice_is_one_task() {
    let org = OrgFixture::start().await;
    let ask = |title: &str| {
        org.mia.post(&org.path("/tasks"), json!({ "title": title })).header("idempotency-key", "key-1")
    };
    let first = ask("Oil it").await;
    let again = ask("Oil it").await;
    assert_eq!((again.expect(201), etag(&again)), (first.expect(201), "\"1\""));
    ask("Mend it").await.problem(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(
        org.server
            .database()
            .await
            .scalar(&format!("SELECT count(*) FROM tasks WHERE {}", org.own_rows()))
            .await,
        1
    );
}

#[tokio::test]
async fn done_is_when_it_was_done() {
    let org = OrgFixture::start().await;
    let (path, _) = org.create("/tasks", json!({ "title": "Oil it" })).await;
    let set = async |body: Value| org.owner.patch(&path, body).await.expect(200);
    assert_eq!(set(json!({ "status": "in_progress" })).await["completed_at"], Value::Null);
    let done = set(json!({ "status": "done" })).await;
    assert_eq!(done["completed_at"], done["updated_at"]);
    let later = set(json!({ "title": "Oil it well" })).await;
    assert_eq!(later["completed_at"], done["completed_at"]);
    assert_eq!(set(json!({ "status": "cancelled" })).await["completed_at"], Value::Null);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_leaves_a_trace_of_that() {
    let org = OrgFixture::start().await;
    let (_, tag) = org.create("/tags", json!({ "name": "urgent" })).await;
    let (_, other) = org.create("/tags", json!({ "name": "dear" })).await;
    let draft =
        json!({ "title": "A", "description": "B", "due_at": "2026-02-01T10:00:00Z", "tags": [tag["id"]] });
    let (path, before) = org.create("/tasks", draft).await;
    for same in [
        json!({}),
        json!({ "title": "A", "description": "B", "status": "todo", "priority": "normal" }),
        json!({ "due_at": "2026-02-01T11:00:00.0000001+01:00", "tags": [tag["id"]], "project_id": null }),
    ] {
        let reply = org.owner.patch(&path, same).await;
        assert_eq!((reply.expect(200), etag(&reply)), (before.clone(), "\"1\""));
    }
    let changes = json!({ "priority": "high", "description": null, "due_at": null, "position": 0, "tags": [other["id"]] });
    let changed = org.owner.patch(&path, changes).await;
    let body = changed.expect(200);
    assert_eq!(
        (&body["title"], &body["created_by"], etag(&changed)),
        (&json!("A"), &before["created_by"], "\"2\"")
    );
    assert_eq!(org.owner.get(&path).await.expect(200), body);
    assert_eq!(body["tags"], json!([other["id"]]));
    assert_eq!(
        org.events("task.updated").await,
        [json!({
            "before": { "priority": "normal", "description": "B", "due_at": before["due_at"], "position": 1024, "tags": [tag["id"]] },
            "after": { "priority": "high", "description": null, "due_at": null, "position": 0, "tags": [other["id"]] },
        })]
    );
    // Its tags alone: a change, too.
    let untagged = org.owner.patch(&path, json!({ "tags": [] })).await.expect(200);
    assert_eq!((&untagged["tags"], &untagged["version"]), (&json!([]), &json!(3)));

    for stale in ["\"2\"", "\"x\""] {
        org.owner
            .patch(&path, json!({ "title": "x" }))
            .header("if-match", stale)
            .await
            .problem(412, "PRECONDITION_FAILED");
        org.owner.delete(&path).header("if-match", stale).await.problem(412, "PRECONDITION_FAILED");
    }
    org.owner.delete(&path).header("if-match", "\"3\"").await.expect(204);
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let org = OrgFixture::start().await;
    let (path, before) = org.create("/tasks", json!({ "title": "A" })).await;
    let many: Vec<_> = (0..21).map(|n| format!("0190b3a0-7c1e-7d2a-9f00-3a5c6e7f{n:04}")).collect();
    for (field, value, faults) in [
        ("title", json!(""), vec!["title TOO_SHORT"]),
        ("title", json!(" "), vec!["title TOO_SHORT"]),
        ("title", json!("a\tb"), vec!["title INVALID_FORMAT"]),
        ("title", json!("a".repeat(201)), vec!["title TOO_LONG"]),
        ("title", Value::Null, vec!["title NULL_NOT_ALLOWED"]),
        ("description", json!(""), vec!["description TOO_SHORT"]),
        ("description", json!(" \n"), vec!["description TOO_SHORT"]),
        ("description", json!("\u{7}"), vec!["description INVALID_FORMAT"]),
        ("description", json!("a".repeat(10_001)), vec!["description TOO_LONG"]),
        ("status", json!("open"), vec!["status NOT_A_CHOICE"]),
        ("status", Value::Null, vec!["status NULL_NOT_ALLOWED"]),
        ("priority", json!(2), vec!["priority WRONG_TYPE"]),
        ("priority", json!("dear"), vec!["priority NOT_A_CHOICE"]),
        ("due_at", json!("tomorrow"), vec!["due_at INVALID_FORMAT"]),
        ("due_at", json!("2026-02-01"), vec!["due_at INVALID_FORMAT"]),
        ("project_id", json!("A"), vec!["project_id INVALID_FORMAT"]),
        ("project_id", json!(NOTHING), vec!["project_id UNKNOWN_PROJECT"]),
        ("assignee_id", json!("me"), vec!["assignee_id INVALID_FORMAT"]),
        ("assignee_id", json!(NOTHING), vec!["assignee_id UNKNOWN_MEMBER"]),
        ("position", json!(-1), vec!["position TOO_SMALL"]),
        ("position", json!(9_007_199_254_740_992_u64), vec!["position TOO_LARGE"]),
        ("position", json!(1.5), vec!["position WRONG_TYPE"]),
        ("position", Value::Null, vec!["position NULL_NOT_ALLOWED"]),
        ("tags", json!([NOTHING]), vec!["tags[0] UNKNOWN_TAG"]),
        ("tags", json!([NOTHING, NOTHING]), vec!["tags[1] NOT_UNIQUE"]),
        ("tags", json!(["urgent"]), vec!["tags[0] INVALID_FORMAT"]),
        ("tags", json!(many), vec!["tags TOO_LONG"]),
        ("tags", Value::Null, vec!["tags NULL_NOT_ALLOWED"]),
        ("created_by", json!(NOTHING), vec!["created_by UNKNOWN_FIELD"]),
        ("completed_at", Value::Null, vec!["completed_at UNKNOWN_FIELD"]),
    ] {
        let mut whole = json!({ "title": "x" });
        whole[field] = value.clone();
        for reply in [
            org.owner.post(&org.path("/tasks"), whole).await,
            org.owner.patch(&path, json!({ field: value })).await,
        ] {
            reply.problem(422, "VALIDATION_FAILED");
            assert_eq!(reply.faults(), faults, "{field}");
        }
    }
    let all = json!({ "title": "x", "project_id": NOTHING, "assignee_id": NOTHING, "tags": [NOTHING] });
    let expected = ["assignee_id UNKNOWN_MEMBER", "project_id UNKNOWN_PROJECT", "tags[0] UNKNOWN_TAG"];
    assert_eq!(org.owner.post(&org.path("/tasks"), all.clone()).await.faults(), expected);
    // Errors of the body come before a stale version.
    let stale = org.owner.patch(&path, all).header("if-match", "\"7\"").await;
    stale.problem(422, "VALIDATION_FAILED");
    assert_eq!(stale.faults(), expected);
    org.owner.post(&org.path("/tasks"), json!({})).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(org.owner.get(&path).await.expect(200), before);
    assert_eq!(
        org.server
            .database()
            .await
            .scalar(&format!("SELECT count(*) FROM tasks WHERE {}", org.own_rows()))
            .await,
        1
    );
}

#[tokio::test]
async fn a_task_is_for_an_active_member() {
    let org = OrgFixture::start().await;
    let (mia, max) = (org.member(&org.mia).await, org.member(&org.max).await);
    let (path, _) = org.create("/tasks", json!({ "title": "A", "assignee_id": mia })).await;
    for suspended in [&mia, &max] {
        let member = org.path(&format!("/members/{suspended}"));
        org.owner.patch(&member, json!({ "status": "suspended" })).await.expect(200);
    }
    let draft = json!({ "title": "A", "assignee_id": max });
    for reply in
        [org.owner.post(&org.path("/tasks"), draft.clone()).await, org.owner.patch(&path, draft).await]
    {
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["assignee_id INACTIVE_MEMBER"]);
    }
    // Whose it is already it stays.
    let kept = org.owner.patch(&path, json!({ "title": "B", "assignee_id": mia })).await.expect(200);
    assert_eq!(kept["assignee_id"], json!(mia));
    let free = org.owner.patch(&path, json!({ "assignee_id": null })).await.expect(200);
    assert_eq!(free["assignee_id"], Value::Null);
    org.owner.patch(&path, json!({ "assignee_id": mia })).await.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn an_archived_project_takes_no_tasks() {
    let org = OrgFixture::start().await;
    let (path, project) = org.create("/projects", json!({ "code": "A", "name": "A" })).await;
    let draft = json!({ "title": "A", "project_id": project["id"] });
    let (inside, _) = org.create("/tasks", draft.clone()).await;
    let (outside, _) = org.create("/tasks", json!({ "title": "B" })).await;
    org.owner.request("POST", &format!("{path}/archive")).await.expect(200);
    for reply in [
        org.owner.post(&org.path("/tasks"), draft.clone()).await,
        org.owner.patch(&outside, json!({ "project_id": project["id"] })).await,
    ] {
        reply.problem(409, "PROJECT_ARCHIVED");
        assert_eq!(reply.faults(), ["project_id PROJECT_ARCHIVED"]);
    }
    // What is there goes on, and may go elsewhere.
    org.owner.patch(&inside, json!({ "status": "done", "project_id": project["id"] })).await.expect(200);
    org.owner.patch(&inside, json!({ "project_id": null })).await.expect(200);
    org.owner.request("POST", &format!("{path}/unarchive")).await.expect(200);
    org.owner.patch(&inside, json!({ "project_id": project["id"] })).await.expect(200);
}

#[tokio::test]
async fn a_deleted_task_is_gone_until_it_is_restored() {
    let org = OrgFixture::start().await;
    let (project, body) = org.create("/projects", json!({ "code": "A", "name": "A" })).await;
    let (_, tag) = org.create("/tags", json!({ "name": "urgent" })).await;
    let draft = json!({ "title": "A", "project_id": body["id"], "tags": [tag["id"]] });
    let (path, before) = org.create("/tasks", draft).await;
    let restore = || org.owner.request("POST", &format!("{path}/restore"));
    restore().await.problem(404, "NOT_FOUND");
    let deleted = org.owner.delete(&path).await;
    assert_eq!((deleted.status, deleted.text()), (204, ""));
    for request in
        [org.owner.get(&path), org.owner.patch(&path, json!({ "title": "x" })), org.owner.delete(&path)]
    {
        request.await.problem(404, "NOT_FOUND");
    }
    org.owner.delete(&project).await.expect(204);
    restore().await.problem(409, "PARENT_DELETED");
    org.owner.request("POST", &format!("{project}/restore")).await.expect(200);
    let restored = restore().await;
    let body = restored.expect(200);
    assert_eq!((&body["id"], &body["tags"], etag(&restored)), (&before["id"], &before["tags"], "\"3\""));
    assert_eq!(org.owner.get(&path).await.expect(200), body);
    // A deleted project takes its tasks with it, and brings them back.
    org.owner.delete(&project).await.expect(204);
    org.owner.get(&path).await.problem(404, "NOT_FOUND");
    assert_eq!(org.owner.get(&org.path("/tasks")).await.expect(200)["data"], json!([]));
    let named = org
        .owner
        .post(&org.path("/tasks"), json!({ "title": "x", "project_id": before["project_id"] }))
        .await;
    assert_eq!(named.faults(), ["project_id UNKNOWN_PROJECT"]);
    org.owner.request("POST", &format!("{project}/restore")).await.expect(200);
    assert_eq!(org.owner.get(&path).await.expect(200), body);
}

#[tokio::test]
async fn what_is_another_organizations_is_not_there() {
    let org = OrgFixture::start().await;
    let slug = org.owner.create_organization(&unique("other")).await.slug;
    let other = |rest: &str| format!("/api/v1/organizations/{slug}{rest}");
    let make = async |list: &str, draft: Value| org.owner.post(&other(list), draft).await.expect(201);
    let project = make("/projects", json!({ "code": "A", "name": "A" })).await;
    let tag = make("/tags", json!({ "name": "urgent" })).await;
    let member = org.owner.get(&other("/me/permissions")).await.expect(200)["member_id"].clone();
    let (path, before) = org.create("/tasks", json!({ "title": "A" })).await;
    let draft =
        json!({ "title": "B", "project_id": project["id"], "assignee_id": member, "tags": [tag["id"]] });
    for reply in [
        org.owner.post(&org.path("/tasks"), draft.clone()).await,
        org.owner.patch(&path, draft.clone()).await,
    ] {
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(
            reply.faults(),
            ["assignee_id UNKNOWN_MEMBER", "project_id UNKNOWN_PROJECT", "tags[0] UNKNOWN_TAG"]
        );
    }
    assert_eq!(org.owner.get(&path).await.expect(200), before);
    make("/tasks", draft).await;
    assert_eq!(org.owner.get(&org.path("/tasks")).await.expect(200)["data"], json!([before]));
}
