//! Leap seconds are refused everywhere: few programs support them, and the two databases store them as different instants.

use std::collections::BTreeSet;

use insula_tests::{Operation, OrgFixture, id};
use serde_json::{Value, json};

const LEAP: &str = "2026-03-02T08:00:60Z";

/// Is there an instant in this schema?
fn has_instant(document: &Value, schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, member)| match (&**name, member.as_str()) {
            ("format", Some(format)) => format == "date-time",
            ("$ref", Some(place)) => {
                document.pointer(&place[1..]).is_some_and(|schema| has_instant(document, schema))
            }
            _ => has_instant(document, member),
        }),
        Value::Array(items) => items.iter().any(|item| has_instant(document, item)),
        _ => false,
    }
}

/// What the document says of an operation.
fn described<'a>(document: &'a Value, operation: &Operation) -> &'a Value {
    &document["paths"][&operation.path][operation.method.to_lowercase()]
}

#[tokio::test]
async fn no_parameter_is_a_leap_second() {
    let org = OrgFixture::start().await;
    let superuser = org.superuser().await;
    let document = org.owner.get("/api/v1/openapi.json").await.expect(200);
    let mut asked = 0;
    for operation in Operation::all(&document) {
        let parameters = described(&document, &operation)["parameters"].as_array().cloned();
        let instants = parameters.unwrap_or_default().into_iter();
        let instants = instants
            .filter(|parameter| parameter["in"] == "query" && has_instant(&document, &parameter["schema"]));
        for parameter in instants {
            let name = parameter["name"].as_str().unwrap();
            let path = operation.path_with(|_| org.slug.clone());
            let who = if path.contains("/admin/") { &superuser } else { &org.owner };
            let reply = who.request(&operation.method, &format!("{path}?{name}={LEAP}")).await;
            reply.problem(422, "VALIDATION_FAILED");
            assert!(reply.faults().contains(&format!("{name} INVALID_FORMAT")), "{}", reply.text());
            assert!(reply.text().contains("leap second"), "{}", reply.text());
            asked += 1;
        }
    }
    assert!(asked >= 16, "{asked}");
}

#[tokio::test]
async fn no_field_of_a_body_is_a_leap_second() {
    let org = OrgFixture::start().await;
    let (task, _) = org.create("/tasks", json!({ "title": "Oil it" })).await;
    let entry =
        org.create_time_entry(&org.owner, ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z"), json!({})).await;
    let entry = org.path(&format!("/time-entries/{}", id(&entry)));
    let bodies = [
        ("setPeriodLock", "PUT", org.path("/period-lock"), json!({ "locked_until": LEAP })),
        ("createTask", "POST", org.path("/tasks"), json!({ "title": "Oil it", "due_at": LEAP })),
        (
            "createTasks",
            "POST",
            org.path("/tasks/bulk"),
            json!({ "tasks": [{ "title": "Oil it", "due_at": LEAP }] }),
        ),
        ("updateTask", "PATCH", task, json!({ "due_at": LEAP })),
        (
            "createTimeEntry",
            "POST",
            org.path("/time-entries"),
            json!({ "started_at": LEAP, "ended_at": "2016-12-31T23:59:60Z" }),
        ),
        ("updateTimeEntry", "PATCH", entry, json!({ "started_at": LEAP, "ended_at": LEAP })),
        ("startTimer", "POST", org.path("/timer/start"), json!({ "started_at": LEAP })),
    ];
    for (operation, method, path, body) in &bodies {
        let reply = org.owner.request(method, path).json(body.clone()).await;
        reply.problem(422, "VALIDATION_FAILED");
        let leaps = body.to_string().matches(":60Z").count();
        assert_eq!(reply.faults().len(), leaps, "{operation}: {}", reply.text());
        assert_eq!(reply.text().matches("leap second").count(), leaps, "{operation}: {}", reply.text());
    }
    let document = org.owner.get("/api/v1/openapi.json").await.expect(200);
    let take_one = |operation: &Operation| {
        has_instant(&document, &described(&document, operation)["requestBody"]["content"])
    };
    let known: BTreeSet<_> =
        Operation::all(&document).into_iter().filter(take_one).map(|operation| operation.id).collect();
    assert_eq!(known, bodies.iter().map(|(operation, ..)| (*operation).to_owned()).collect());
}

#[tokio::test]
async fn no_cell_of_an_import_is_a_leap_second() {
    let org = OrgFixture::start().await;
    let file = format!("started_at,ended_at\n{LEAP},2026-03-02T10:00:60+01:00\n");
    let import = org.path("/imports/time-entries?dry_run=true");
    let report = org.owner.request("POST", &import).body("text/csv", file.as_str()).await.expect(200);
    let errors = report["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{report}");
    assert!(
        errors.iter().all(|error| error["message"].as_str().unwrap().contains("leap second")),
        "{report}"
    );
}
