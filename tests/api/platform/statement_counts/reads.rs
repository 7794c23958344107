//! Calls every operation that reads.

use insula_tests::{Builder, Client, JobFixture, Operation, Organization, Server, TestTrace};
use serde_json::json;

use crate::security::isolation::{document, id, make};

/// Calls each reading operation twice and returns the trace of the second call, which finds what the server remembers, and the
/// server.
pub(super) async fn walk(builder: Builder) -> (Vec<(String, TestTrace)>, Server) {
    let (server, root) = builder.start_with_superuser().await;
    let ada = server.client().register("ada@example.com").await;
    let acme = ada.create_organization("acme").await;
    fill(&server, &ada, &acme).await;
    let me = ada.get("/api/v1/users/me").await.expect(200)["id"].take();
    let mut traces = Vec::new();
    for operation in Operation::all(&document(&server).await) {
        if operation.method != "GET" {
            continue;
        }
        let caller = if operation.path.starts_with("/api/v1/admin/") { &root } else { &ada };
        let path = path(&operation, &ada, &acme, me.as_str().unwrap()).await;
        if operation.path.ends_with("/verify") {
            server.database().await.wait_until_sealed().await;
        }
        let mut trace = TestTrace::new();
        for _ in 0..2 {
            trace = TestTrace::new();
            let reply = caller.get(&path).header("traceparent", trace.traceparent()).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        }
        traces.push((operation.id, trace));
    }
    (traces, server)
}

/// Gives every list a row, a task a tag, and the organization an open transfer.
async fn fill(server: &Server, ada: &Client, acme: &Organization) {
    let root = format!("/api/v1/organizations/{}", acme.id);
    let tag = ada.post(&format!("{root}/tags"), json!({ "name": "urgent" })).await.expect(201)["id"].take();
    let task = json!({ "title": "Oil it", "tags": [tag] });
    ada.post(&format!("{root}/tasks"), task).await.expect(201);
    let entry = json!({
        "started_at": "2026-03-01T08:00:00Z", "ended_at": "2026-03-01T09:00:00Z", "tags": [tag],
    });
    ada.post(&format!("{root}/time-entries"), entry).await.expect(201);
    server.client().register("eve@example.com").await;
    let database = server.database().await;
    let job = JobFixture { organization: Some(acme.id.clone()), ..JobFixture::new(1, "dead") };
    database.insert_job(&job).await;
    database.insert_email(&job, "bird@example.com", "sent").await;
    database.join("acme", "eve@example.com", "member").await;
    let members = ada.get(&format!("{root}/members?q=eve")).await.expect(200);
    let to_eve = json!({ "member_id": members["data"][0]["id"] });
    ada.post(&format!("{root}/transfer"), to_eve).await.expect(201);
}

/// The path of an operation, with ids of what exists.
async fn path(operation: &Operation, ada: &Client, acme: &Organization, me: &str) -> String {
    let mut path = operation.path.replace("{org}", &acme.id);
    for name in operation.parameters() {
        let id = match name {
            "org" => continue,
            "user" => me.to_owned(),
            "organization" => acme.id.clone(),
            "job" => JobFixture::new(1, "dead").id(),
            name => id(&make(ada, acme, name, &operation.id.to_uppercase()).await).to_owned(),
        };
        path = path.replace(&format!("{{{name}}}"), &id);
    }
    if operation.id == "getReportSummary" {
        path += "?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&group_by=project";
    }
    if operation.id == "searchOrganization" {
        path += "?q=oil";
    }
    path
}
