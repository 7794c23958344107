//! What a suspended or deleted organization and an archived project allow: as `docs/states.md` says, operation by operation.

use std::collections::BTreeSet;

use insula_tests::{Client, Operation, OrgFixture, Server, id};
use serde_json::{Value, json};

use crate::security::isolation::{NOTHING, implied, inside};

const TABLES: &str = include_str!("../../../docs/states.md");

/// The cells of the row that begins with `first`.
fn row(first: &str) -> Vec<&'static str> {
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let mut rows = TABLES.lines().map(cells).filter(|cells| cells[0] == first);
    rows.next().unwrap_or_else(|| panic!("docs/states.md has no row {first}"))
}

/// The words that stand as code in a cell.
fn codes(cell: &str) -> BTreeSet<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// What the row of this state says of an operation: the status and code that refuse it, if it is refused.
fn refusal(state: &str, operation: &Operation) -> Option<(u16, &'static str)> {
    let cells = row(state);
    let cell = match operation.method.as_str() {
        _ if codes(cells[4]).contains(&*operation.id) => return None,
        _ if operation.path.contains("/exports/") => cells[2],
        "GET" => cells[1],
        _ => cells[3],
    };
    let (status, code) = cell.split_once(' ')?;
    Some((status.parse().expect("a status"), code.trim_matches('`')))
}

async fn walk(server: &Server, owner: &Client, state: &str) {
    let mut operations = inside(server).await;
    assert_eq!(operations.len(), implied(server).await);
    // What is allowed at last may end the state.
    operations.sort_by_key(|operation| operation.id == "restoreOrganization");
    for operation in operations {
        let path = operation.path_with(|name| if name == "org" { "{org}" } else { NOTHING }.to_owned());
        let reply = operation.request(owner, &path).header("if-match", "*").await;
        match refusal(state, &operation) {
            Some((status, code)) => {
                reply.problem(status, code);
            }
            None => {
                let (id, text) = (&operation.id, reply.text());
                assert!(![401, 403, 410].contains(&reply.status), "{state}: {id}: {} {text}", reply.status);
                assert!(!operation.path.contains("/exports/") || reply.status == 200, "{id}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_suspended_organization_can_be_read_and_exported() {
    // The cache is off, because the test changes the database directly.
    let org = OrgFixture::on(Server::builder().env("INSULA_SESSION_CACHE_TTL", "0").start().await).await;
    let database = org.server.database().await;
    database.execute("UPDATE organizations SET status = 'suspended' WHERE slug = 'acme'").await;
    walk(&org.server, &org.owner, "suspended").await;
    let exported = "SELECT count(*) FROM audit_events WHERE action IN ('tasks.exported', 'time_entries.exported', 'audit.exported')";
    assert_eq!(database.scalar(exported).await, 6, "each export is recorded");

    // A dry run gets the same answer.
    for (permission, allowed) in [("exports:create", true), ("audit:export", true), ("tasks:create", false)] {
        let asked = org.owner.post(&org.path("/authz/check"), json!({ "permission": permission }));
        assert_eq!(asked.await.expect(200)["allowed"], allowed, "{permission}");
    }
    // A role decides as before: viewers do not export.
    org.viewer.get(&org.path("/exports/tasks.csv")).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_deleted_organization_can_only_be_restored() {
    let org = OrgFixture::start().await;
    org.owner.delete(&org.path("")).header("if-match", "*").await.expect(202);
    walk(&org.server, &org.owner, "deleted").await;
    org.owner.get(&org.path("")).await.expect(200);
}

/// A request for an operation that names the archived project.
async fn ask(org: &OrgFixture, operation: &Operation, project: &str, own: &[(&str, String)]) -> (u16, Value) {
    let path = operation.path_with(|name| match name {
        "org" => "{org}".to_owned(),
        "project" => project.to_owned(),
        name => own.iter().find(|(of, _)| *of == name).expect("one of its own").1.clone(),
    });
    let hour = json!({ "started_at": "2026-03-02T08:00:00Z", "ended_at": "2026-03-02T09:00:00Z" });
    let body = match &*operation.id {
        "createTask" => json!({ "title": "New", "project_id": project }),
        "createTasks" => json!({ "tasks": [{ "title": "New", "project_id": project }] }),
        "createTimeEntry" => {
            json!({ "project_id": project, "started_at": hour["started_at"], "ended_at": hour["ended_at"] })
        }
        "startTimer" | "updateTask" | "updateTimeEntry" => json!({ "project_id": project }),
        "importTimeEntries" => {
            let file = "started_at,ended_at,project_code\n2026-03-02T08:00:00Z,2026-03-02T09:00:00Z,OLD\n";
            let reply = org.owner.request("POST", &path).body("text/csv", file).await;
            return (reply.status, reply.json());
        }
        "updateProject" => json!({ "name": "Still ours" }),
        "setProjectMembers" => json!({ "members": [] }),
        _ => Value::Null,
    };
    let request = org.owner.request(&operation.method, &path).header("if-match", "*");
    let reply = if body.is_null() { request.await } else { request.json(body).await };
    (reply.status, if reply.text().is_empty() { Value::Null } else { reply.json() })
}

#[tokio::test]
async fn an_archived_project_takes_no_new_work() {
    let org = OrgFixture::start().await;
    let old = org.create_project("OLD").await;
    let (_, task) = org.create("/tasks", json!({ "title": "Elsewhere" })).await;
    let entry =
        org.create_time_entry(&org.owner, ("2026-03-01T08:00:00Z", "2026-03-01T09:00:00Z"), json!({})).await;
    org.owner.request("POST", &org.path(&format!("/projects/{old}/archive"))).await.expect(200);
    let own = [("task", id(&task)), ("entry", id(&entry))];

    let refused: BTreeSet<_> = TABLES
        .lines()
        .filter(|line| line.contains("PROJECT_ARCHIVED"))
        .flat_map(|line| codes(line.split('|').nth(1).unwrap_or("")))
        .collect();
    let names_project = |operation: &&Operation| {
        let in_body = operation.body.as_ref().is_some_and(|body| body.to_string().contains("project_"));
        in_body || operation.file.is_some() || operation.parameters().contains(&"project")
    };
    let operations = inside(&org.server).await;
    let mut met = BTreeSet::new();
    // What ends the state comes last.
    let ends = ["deleteProject", "restoreProject", "unarchiveProject"];
    let mut about: Vec<_> = operations.iter().filter(names_project).collect();
    about.sort_by_key(|operation| ends.iter().position(|id| *id == operation.id).map_or(0, |at| at + 1));
    for operation in about {
        let (status, body) = ask(&org, operation, &old, &own).await;
        match refused.contains(&*operation.id) {
            true => {
                let (expected, code) = match &*operation.id {
                    "createTasks" => (207, &body["data"][0]["error"]["error"]),
                    "importTimeEntries" => (422, &body["errors"][0]["code"]),
                    _ => (409, &body["error"]),
                };
                assert_eq!(
                    (status, code),
                    (expected, &json!("PROJECT_ARCHIVED")),
                    "{}: {body}",
                    operation.id
                );
                met.insert(&*operation.id);
            }
            false => assert!(status < 300, "{}: {status} {body}", operation.id),
        }
    }
    assert_eq!(met, refused);
}
