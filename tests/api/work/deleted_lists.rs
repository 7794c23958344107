//! The parameter `deleted` of the lists of projects, tasks and time entries: what can be restored.

use insula_tests::{Client, OrgFixture, id};
use serde_json::{Value, json};

const FROM: &str = "2026-03-02T08:00:00Z";
const TO: &str = "2026-03-02T09:00:00Z";

/// The ids of a list.
async fn ids(who: &Client, path: &str) -> Vec<String> {
    let page = who.get(path).await.expect(200);
    page["data"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn deleted_rows_are_listed_until_they_are_restored() {
    let org = OrgFixture::start().await;
    let (project, _) = org.create("/projects", json!({ "code": "ENGINE", "name": "Engine" })).await;
    let (task, _) = org.create("/tasks", json!({ "title": "Draw" })).await;
    let entry = org.create_time_entry(&org.owner, (FROM, TO), json!({})).await;
    let entry = format!("{}/{}", org.path("/time-entries"), id(&entry));
    org.create("/projects", json!({ "code": "STAYS", "name": "Stays" })).await;
    for (list, path) in [("/projects", project), ("/tasks", task), ("/time-entries", entry)] {
        let (all, deleted) = (org.path(list), org.path(&format!("{list}?deleted=true")));
        let before = ids(&org.owner, &all).await;
        let body = org.owner.get(&path).await.expect(200);
        assert_eq!(body["deleted_at"], Value::Null, "{list}");
        assert!(ids(&org.owner, &deleted).await.is_empty(), "{list}");

        org.owner.delete(&path).await.expect(204);
        assert_eq!(ids(&org.owner, &deleted).await, [id(&body)]);
        assert!(!ids(&org.owner, &all).await.contains(&id(&body)), "{list}");
        assert_eq!(
            ids(&org.owner, &org.path(&format!("{list}?deleted=false"))).await,
            ids(&org.owner, &all).await
        );
        let page = org.owner.get(&deleted).await.expect(200);
        assert!(page["data"][0]["deleted_at"].is_string(), "{page}");

        let restored = org.owner.request("POST", &format!("{path}/restore")).await.expect(200);
        assert_eq!(restored["deleted_at"], Value::Null, "{list}");
        assert!(ids(&org.owner, &deleted).await.is_empty(), "{list}");
        assert_eq!(ids(&org.owner, &all).await, before, "{list}");
    }
}

#[tokio::test]
async fn deleted_rows_are_shown_to_those_who_can_restore_them() {
    let org = OrgFixture::start().await;
    for (list, permission) in [
        ("/projects", "projects:delete"),
        ("/tasks", "tasks:delete"),
        ("/time-entries", "time_entries:delete"),
    ] {
        let path = org.path(&format!("{list}?deleted=true"));
        let refused = org.viewer.get(&path).await.problem(403, "FORBIDDEN");
        assert_eq!(refused["permission"], permission);
    }
    let reply = org.owner.get(&org.path("/tasks?deleted=maybe")).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["deleted WRONG_TYPE"]);
}

/// A private project hides what is in it, deleted or not.
#[tokio::test]
async fn deleted_rows_of_private_projects_stay_hidden() {
    let org = OrgFixture::start().await;
    let (project, body) =
        org.create("/projects", json!({ "code": "SECRET", "name": "Secret", "is_private": true })).await;
    let (task, _) = org.create("/tasks", json!({ "title": "Draw", "project_id": body["id"] })).await;
    let (open, _) = org.create("/tasks", json!({ "title": "Open" })).await;
    for path in [&task, &open, &project] {
        org.owner.delete(path).await.expect(204);
    }
    let deleted = org.path("/tasks?deleted=true");
    assert_eq!(ids(&org.owner, &deleted).await.len(), 2);
    assert_eq!(ids(&org.mia, &deleted).await.len(), 1);
    assert!(ids(&org.owner, &org.path("/projects?deleted=true")).await.contains(&id(&body)));

    // The entries of others are not shown without `time_entries:read_all`.
    let entry = org.create_time_entry(&org.max, (FROM, TO), json!({})).await;
    org.max.delete(&format!("{}/{}", org.path("/time-entries"), id(&entry))).await.expect(204);
    let deleted = org.path("/time-entries?deleted=true");
    assert_eq!(ids(&org.max, &deleted).await, [id(&entry)]);
    assert_eq!(ids(&org.admin, &deleted).await, [id(&entry)]);
    assert!(ids(&org.mia, &deleted).await.is_empty());
}
