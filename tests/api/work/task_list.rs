//! The list of tasks: filters, and complete orders, also by fields that may be null.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use insula_tests::{Client, OrgFixture, OrgWithOwner};
use serde_json::{Value, json};

const TASKS: &str = "/api/v1/organizations/{org}/tasks";
const SORTS: [&str; 5] = ["created_at", "updated_at", "due_at", "priority", "position"];

fn data(page: &Value) -> Vec<Value> {
    page["data"].as_array().unwrap().clone()
}

/// The titles of a list, in the order of their making.
async fn titles(who: &Client, query: &str) -> String {
    let page = who.get(&format!("{TASKS}?{query}")).await.expect(200);
    data(&page).iter().map(|task| task["title"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// As the list is promised to order them: by the key, those without one last, equal ones by id.
fn sorted(mut tasks: Vec<Value>, sort: &str) -> Vec<String> {
    let key = sort.trim_start_matches('-');
    let of = |task: &Value| {
        let value = &task[key];
        let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        let number = match key {
            "priority" => {
                ["low", "normal", "high", "urgent"].iter().position(|name| value == name).map(|n| n as i64)
            }
            "position" => value.as_i64(),
            _ => value.as_str().map(instant),
        };
        (number.is_none(), number, task["id"].as_str().unwrap().to_owned())
    };
    tasks.sort_by_key(of);
    if sort.starts_with('-') {
        tasks.reverse();
    }
    tasks.iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
}

/// Equal ones, none, and some between.
fn draft(number: usize) -> Value {
    let due = ["2026-02-01T10:00:00Z", "2026-02-01T10:00:00.5Z", "2025-12-31T23:59:59Z"];
    let priority = ["low", "urgent", "normal", "high"][number % 4];
    let mut task = json!({ "title": format!("T{number}"), "priority": priority });
    if number % 4 != 3 {
        task["due_at"] = due[number % 3].into();
    }
    if number.is_multiple_of(5) {
        task["position"] = (number / 10).into();
    }
    task
}

#[tokio::test]
async fn every_order_shows_everything_once_while_others_write() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let mut original = Vec::new();
    for number in 0..23 {
        original.push(owner.post(TASKS, draft(number)).await.expect(201));
    }
    let mut next = original.len();
    for sort in SORTS.iter().flat_map(|sort| [(*sort).to_owned(), format!("-{sort}")]) {
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = owner.get(&format!("{TASKS}?limit=5&sort={sort}{cursor}")).await.expect(200);
            walked.extend(data(&page));
            let Some(token) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={token}");
            owner.post(TASKS, draft(next)).await.expect(201);
            next += 1;
        }
        let ids: Vec<_> = walked.iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{sort} repeats");
        assert_eq!(ids, sorted(walked.clone(), &sort), "{sort} is out of order");
        let of_old: Vec<_> = walked.into_iter().filter(|task| original.contains(task)).collect();
        assert_eq!(sorted(of_old, &sort), sorted(original.clone(), &sort), "{sort} is incomplete");
    }
}

#[tokio::test]
async fn filters_pick() {
    let org = OrgFixture::start().await;
    let (_, project) = org.create("/projects", json!({ "code": "A", "name": "A" })).await;
    let (_, tag) = org.create("/tags", json!({ "name": "urgent" })).await;
    let (_, other) = org.create("/tags", json!({ "name": "dear" })).await;
    let mia = org.member(&org.mia).await;
    for draft in [
        json!({ "title": "a", "project_id": project["id"], "priority": "high", "due_at": "2026-02-01T10:00:00Z" }),
        json!({ "title": "b", "assignee_id": mia, "status": "done", "tags": [tag["id"], other["id"]] }),
        json!({ "title": "c", "project_id": project["id"], "assignee_id": mia, "status": "in_progress", "due_at": "2026-02-02T10:00:00Z" }),
        json!({ "title": "d", "status": "cancelled", "priority": "urgent", "tags": [other["id"]] }),
    ] {
        org.create("/tasks", draft).await;
    }
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    for (query, expected) in [
        (String::new(), "a b c d"),
        (format!("project_id={}", id(&project)), "a c"),
        (format!("assignee_id={mia}"), "b c"),
        (format!("assignee_id={mia}&project_id={}", id(&project)), "c"),
        ("status=done".to_owned(), "b"),
        ("status=done&status=cancelled".to_owned(), "b d"),
        ("status=todo&status=todo".to_owned(), "a"),
        ("priority=normal".to_owned(), "b c"),
        ("priority=urgent".to_owned(), "d"),
        (format!("tag={}", id(&tag)), "b"),
        (format!("tag={}&sort=-created_at", id(&other)), "d b"),
        ("due_after=2026-02-01T10:00:00Z".to_owned(), "a c"),
        ("due_after=2026-02-01T10:00:00.000001Z".to_owned(), "c"),
        ("due_before=2026-02-01T10:00:00Z".to_owned(), ""),
        ("due_before=2026-02-02T12:00:00%2B02:00".to_owned(), "a"),
        ("due_after=2026-02-01T00:00:00Z&due_before=2026-02-02T00:00:00Z".to_owned(), "a"),
        // What is not there has none.
        (format!("project_id={}", id(&tag)), ""),
        (format!("assignee_id={}", id(&tag)), ""),
        (format!("tag={}", id(&project)), ""),
    ] {
        assert_eq!(titles(&org.viewer, &query).await, expected, "{query}");
    }
    assert_eq!(titles(&org.mia, "assignee_id=me").await, "b c");
    assert_eq!(titles(&org.max, "assignee_id=me").await, "");
    for (query, fault) in [
        ("status=open", "status[0] NOT_A_CHOICE"),
        ("status=todo,done", "status[0] NOT_A_CHOICE"),
        ("priority=2", "priority NOT_A_CHOICE"),
        ("assignee_id=mia", "assignee_id INVALID_FORMAT"),
        ("project_id=A", "project_id INVALID_FORMAT"),
        ("tag=urgent", "tag INVALID_FORMAT"),
        ("due_before=today", "due_before INVALID_FORMAT"),
        ("sort=title", "sort NOT_A_CHOICE"),
        ("color=a", "color UNKNOWN_FIELD"),
    ] {
        let reply = org.viewer.get(&format!("{TASKS}?{query}")).await;
        reply.problem(422, "VALIDATION_FAILED");
        let (field, code) = fault.split_once(' ').unwrap();
        let faults = reply.faults();
        assert!(faults.len() == 1 && faults[0].starts_with(field), "{query}: {faults:?}");
        assert!(code == "UNKNOWN_FIELD" || faults[0].ends_with(code), "{query}: {faults:?}");
    }
}

#[tokio::test]
async fn a_cursor_is_of_one_list() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    for number in 0..4 {
        owner.post(TASKS, draft(number)).await.expect(201);
    }
    let page = owner.get(&format!("{TASKS}?limit=2&sort=due_at&status=todo")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    owner.get(&format!("{TASKS}?sort=due_at&status=todo&cursor={cursor}")).await.expect(200);
    for other in ["sort=due_at", "sort=-due_at&status=todo", "sort=due_at&status=todo&status=done"] {
        owner.get(&format!("{TASKS}?{other}&cursor={cursor}")).await.problem(422, "INVALID_CURSOR");
    }
}

#[tokio::test]
async fn a_superuser_has_no_assigned_tasks() {
    let (acme, _) = OrgWithOwner::start_with_owner().await;
    let superuser = acme.superuser().await.with("x-platform-access", "ticket 7");
    superuser.get(&format!("{TASKS}?assignee_id=me")).await.problem(409, "NOT_A_MEMBER");
    let made = superuser.post(TASKS, json!({ "title": "A" })).await.expect(201);
    assert_eq!(made["created_by"], Value::Null);
    assert_eq!(superuser.get(TASKS).await.expect(200)["data"], json!([made]));
    let path = format!("{TASKS}/{}", made["id"].as_str().unwrap());
    superuser.patch(&path, json!({ "title": "B" })).await.expect(200);
    superuser.delete(&path).await.expect(204);
}
