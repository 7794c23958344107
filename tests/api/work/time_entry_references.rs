//! References of time entries: a project, or a task and its project; and tags.

use insula_tests::{OrgFixture, id};
use serde_json::{Value, json};

const MORNING: (&str, &str) = ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

/// Makes a task; gives its id.
async fn task(org: &OrgFixture, project: Option<&str>) -> String {
    let draft = json!({ "title": "Oil it", "project_id": project });
    id(&org.owner.post(&org.path("/tasks"), draft).await.expect(201))
}

/// Makes a tag; gives its id.
async fn tag(org: &OrgFixture, name: &str) -> String {
    id(&org.owner.post(&org.path("/tags"), json!({ "name": name })).await.expect(201))
}

fn place(entry: &Value) -> (&Value, &Value) {
    (&entry["project_id"], &entry["task_id"])
}

#[tokio::test]
async fn a_task_implies_its_project() {
    let org = OrgFixture::start().await;
    let (engine, mill) = (org.create_project("ENGINE").await, org.create_project("MILL").await);
    let (of_engine, of_none) = (task(&org, Some(&engine)).await, task(&org, None).await);
    let track = async |work: Value| org.create_time_entry(&org.mia, MORNING, work).await;
    assert_eq!(place(&track(json!({ "task_id": of_engine })).await), (&json!(engine), &json!(of_engine)));
    assert_eq!(place(&track(json!({ "task_id": of_none })).await), (&Value::Null, &json!(of_none)));
    let both = track(json!({ "task_id": of_engine, "project_code": "ENGINE" })).await;
    assert_eq!(place(&both), (&json!(engine), &json!(of_engine)));

    for stray in [
        json!({ "task_id": of_engine, "project_id": mill }),
        json!({ "task_id": of_none, "project_id": mill }),
    ] {
        let mut draft = json!({ "started_at": MORNING.0, "ended_at": MORNING.1 });
        draft.as_object_mut().unwrap().extend(stray.as_object().unwrap().clone());
        let reply = org.mia.post(&org.path("/time-entries"), draft).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["task_id TASK_OF_OTHER_PROJECT"]);
    }
    // A timer uses the same members.
    let started = org.mia.post(&org.path("/timer/start"), json!({ "task_id": of_engine })).await;
    assert_eq!(place(&started.expect(201)), (&json!(engine), &json!(of_engine)));
}

#[tokio::test]
async fn an_entry_moves_with_its_task_or_to_another_place() {
    let org = OrgFixture::start().await;
    let (engine, mill) = (org.create_project("ENGINE").await, org.create_project("MILL").await);
    let (of_engine, of_mill) = (task(&org, Some(&engine)).await, task(&org, Some(&mill)).await);
    let entry = org.create_time_entry(&org.mia, MORNING, json!({})).await;
    let path = org.path(&format!("/time-entries/{}", id(&entry)));
    let moved = async |patch: Value| {
        let entry = org.mia.patch(&path, patch).await.expect(200);
        (entry["project_id"].clone(), entry["task_id"].clone())
    };
    let stray = async |patch: Value| {
        let reply = org.mia.patch(&path, patch).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["task_id TASK_OF_OTHER_PROJECT"]);
    };
    // One without a project takes that of the task.
    assert_eq!(moved(json!({ "task_id": of_engine })).await, (json!(engine), json!(of_engine)));
    // One that has a project keeps it, and with it what is a task of it.
    stray(json!({ "task_id": of_mill })).await;
    stray(json!({ "project_id": mill })).await;
    stray(json!({ "project_id": null })).await;
    stray(json!({ "project_id": mill, "task_id": of_engine })).await;
    assert_eq!(moved(json!({ "project_id": mill, "task_id": of_mill })).await, (json!(mill), json!(of_mill)));
    assert_eq!(moved(json!({ "task_id": null })).await, (json!(mill), Value::Null));
    assert_eq!(moved(json!({ "project_id": engine })).await, (json!(engine), Value::Null));
    assert_eq!(moved(json!({ "task_id": of_engine })).await, (json!(engine), json!(of_engine)));
    assert_eq!(moved(json!({ "project_id": null, "task_id": null })).await, (Value::Null, Value::Null));
    let reply = org.mia.patch(&path, json!({ "task_id": NOTHING, "project_code": "NONE" })).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["project_code UNKNOWN_PROJECT", "task_id UNKNOWN_TASK"]);
}

#[tokio::test]
async fn an_entry_has_the_tags_it_was_given_last() {
    let org = OrgFixture::start().await;
    let (one, two) = (tag(&org, "One").await, tag(&org, "Two").await);
    let entry = org.create_time_entry(&org.mia, MORNING, json!({ "tags": [two, one] })).await;
    let path = org.path(&format!("/time-entries/{}", id(&entry)));
    assert_eq!(entry["tags"], json!([one, two]), "in the order of their ids");
    let tags = async |given: Value| org.mia.patch(&path, json!({ "tags": given })).await.expect(200);
    // The same in another order changes nothing.
    assert_eq!(tags(json!([two, one])).await["version"], 1);
    let changed = tags(json!([two])).await;
    assert_eq!((&changed["tags"], &changed["version"]), (&json!([two]), &json!(2)));
    assert_eq!(org.mia.get(&path).await.expect(200), changed);
    let reply = org.mia.patch(&path, json!({ "tags": [one, NOTHING] })).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["tags[1] UNKNOWN_TAG"]);

    // One that is in use stays; of what is deleted it goes.
    let of_two = org.path(&format!("/tags/{two}"));
    org.owner.delete(&of_two).await.problem(409, "TAG_IN_USE");
    org.mia.delete(&path).await.expect(204);
    org.owner.delete(&of_two).await.expect(204);
    let restored = org.mia.request("POST", &format!("{path}/restore")).await.expect(200);
    assert_eq!(restored["tags"], json!([]));
}

#[tokio::test]
async fn time_is_found_by_its_task_and_by_its_tag() {
    let org = OrgFixture::start().await;
    let (task, tag) = (task(&org, None).await, tag(&org, "One").await);
    let on_task = org.create_time_entry(&org.mia, MORNING, json!({ "task_id": task })).await;
    let tagged = org.create_time_entry(&org.mia, MORNING, json!({ "tags": [tag] })).await;
    for (query, entry) in [(format!("task_id={task}"), on_task), (format!("tag={tag}"), tagged)] {
        let list = org.owner.get(&org.path(&format!("/time-entries?{query}"))).await.expect(200);
        assert_eq!(list["data"], json!([entry]), "{query}");
    }
    // What a task was worked on comes back to it alone.
    let path = org.path(&format!("/tasks/{task}"));
    let entry = org.owner.get(&org.path(&format!("/time-entries?task_id={task}"))).await.expect(200);
    let entry = org.path(&format!("/time-entries/{}", id(&entry["data"][0])));
    org.mia.delete(&entry).await.expect(204);
    org.owner.delete(&path).await.expect(204);
    let restore = || org.mia.request("POST", &format!("{entry}/restore"));
    restore().await.problem(409, "PARENT_DELETED");
    org.owner.request("POST", &format!("{path}/restore")).await.expect(200);
    restore().await.expect(200);
}
