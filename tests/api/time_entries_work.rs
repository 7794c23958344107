//! What time is spent on: a project, or a task and with it its project; and tags.

use insula_tests::{Guild, id};
use serde_json::{Value, json};

const MORNING: (&str, &str) = ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
const NOTHING: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

/// Makes a task; gives its id.
async fn task(guild: &Guild, project: Option<&str>) -> String {
    let draft = json!({ "title": "Oil it", "project_id": project });
    id(&guild.owner.post(&guild.path("/tasks"), draft).await.expect(201))
}

/// Makes a tag; gives its id.
async fn tag(guild: &Guild, name: &str) -> String {
    id(&guild.owner.post(&guild.path("/tags"), json!({ "name": name })).await.expect(201))
}

fn place(entry: &Value) -> (&Value, &Value) {
    (&entry["project_id"], &entry["task_id"])
}

#[tokio::test]
async fn whoever_names_a_task_need_not_name_its_project() {
    let guild = Guild::start().await;
    let (engine, mill) = (guild.project("ENGINE").await, guild.project("MILL").await);
    let (of_engine, of_none) = (task(&guild, Some(&engine)).await, task(&guild, None).await);
    let track = async |work: Value| guild.track(&guild.mia, MORNING, work).await;
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
        let reply = guild.mia.post(&guild.path("/time-entries"), draft).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), ["task_id TASK_OF_OTHER_PROJECT"]);
    }
    // A timer is told the same way.
    let started = guild.mia.post(&guild.path("/timer/start"), json!({ "task_id": of_engine })).await;
    assert_eq!(place(&started.expect(201)), (&json!(engine), &json!(of_engine)));
}

#[tokio::test]
async fn an_entry_moves_with_its_task_or_to_another_place() {
    let guild = Guild::start().await;
    let (engine, mill) = (guild.project("ENGINE").await, guild.project("MILL").await);
    let (of_engine, of_mill) = (task(&guild, Some(&engine)).await, task(&guild, Some(&mill)).await);
    let entry = guild.track(&guild.mia, MORNING, json!({})).await;
    let path = guild.path(&format!("/time-entries/{}", id(&entry)));
    let moved = async |patch: Value| {
        let entry = guild.mia.patch(&path, patch).await.expect(200);
        (entry["project_id"].clone(), entry["task_id"].clone())
    };
    let stray = async |patch: Value| {
        let reply = guild.mia.patch(&path, patch).await;
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
    let reply = guild.mia.patch(&path, json!({ "task_id": NOTHING, "project_code": "NONE" })).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["project_code UNKNOWN_PROJECT", "task_id UNKNOWN_TASK"]);
}

#[tokio::test]
async fn an_entry_has_the_tags_it_was_given_last() {
    let guild = Guild::start().await;
    let (one, two) = (tag(&guild, "One").await, tag(&guild, "Two").await);
    let entry = guild.track(&guild.mia, MORNING, json!({ "tags": [two, one] })).await;
    let path = guild.path(&format!("/time-entries/{}", id(&entry)));
    assert_eq!(entry["tags"], json!([one, two]), "in the order of their ids");
    let tags = async |given: Value| guild.mia.patch(&path, json!({ "tags": given })).await.expect(200);
    // The same in another order changes nothing.
    assert_eq!(tags(json!([two, one])).await["version"], 1);
    let changed = tags(json!([two])).await;
    assert_eq!((&changed["tags"], &changed["version"]), (&json!([two]), &json!(2)));
    assert_eq!(guild.mia.get(&path).await.expect(200), changed);
    let reply = guild.mia.patch(&path, json!({ "tags": [one, NOTHING] })).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["tags[1] UNKNOWN_TAG"]);

    // One that is in use stays; of what is deleted it goes.
    let of_two = guild.path(&format!("/tags/{two}"));
    guild.owner.delete(&of_two).await.problem(409, "TAG_IN_USE");
    guild.mia.delete(&path).await.expect(204);
    guild.owner.delete(&of_two).await.expect(204);
    let restored = guild.mia.request("POST", &format!("{path}/restore")).await.expect(200);
    assert_eq!(restored["tags"], json!([]));
}

#[tokio::test]
async fn time_is_found_by_its_task_and_by_its_tag() {
    let guild = Guild::start().await;
    let (task, tag) = (task(&guild, None).await, tag(&guild, "One").await);
    let on_task = guild.track(&guild.mia, MORNING, json!({ "task_id": task })).await;
    let tagged = guild.track(&guild.mia, MORNING, json!({ "tags": [tag] })).await;
    for (query, entry) in [(format!("task_id={task}"), on_task), (format!("tag={tag}"), tagged)] {
        let list = guild.owner.get(&guild.path(&format!("/time-entries?{query}"))).await.expect(200);
        assert_eq!(list["data"], json!([entry]), "{query}");
    }
    // What a task was worked on comes back to it alone.
    let path = guild.path(&format!("/tasks/{task}"));
    let entry = guild.owner.get(&guild.path(&format!("/time-entries?task_id={task}"))).await.expect(200);
    let entry = guild.path(&format!("/time-entries/{}", id(&entry["data"][0])));
    guild.mia.delete(&entry).await.expect(204);
    guild.owner.delete(&path).await.expect(204);
    let restore = || guild.mia.request("POST", &format!("{entry}/restore"));
    restore().await.problem(409, "PARENT_DELETED");
    guild.owner.request("POST", &format!("{path}/restore")).await.expect(200);
    restore().await.expect(200);
}
