//! Exports of the audit log as CSV and JSON lines.

use std::ops::Deref;

use insula_tests::{Client, OrgWithOwner, eventually};
use serde_json::{Value, json};

const ACME: &str = "/api/v1/organizations/{org}";
const CSV: &str = "/api/v1/organizations/{org}/exports/audit-events.csv";
const LINES: &str = "/api/v1/organizations/{org}/exports/audit-events.jsonl";

/// An organization of Ada's.
struct ExportedOrg {
    base: OrgWithOwner,
    ada: Client,
}

impl ExportedOrg {
    async fn start() -> Self {
        let base = OrgWithOwner::start().await;
        Self { ada: base.owner.clone(), base }
    }

    /// Adds a project.
    async fn create_project(&self, code: &str, agent: &str) {
        let draft = json!({ "code": code, "name": code });
        self.ada.post(&format!("{ACME}/projects"), draft).header("user-agent", agent).await.expect(201);
    }

    /// The newest events of the log.
    async fn newest(&self, number: usize) -> Vec<Value> {
        let page = self.ada.get(&format!("{ACME}/audit-events?limit={number}")).await.expect(200);
        page["data"].as_array().unwrap().clone()
    }
}

impl Deref for ExportedOrg {
    type Target = OrgWithOwner;

    fn deref(&self) -> &OrgWithOwner {
        &self.base
    }
}

fn events(lines: &str) -> Vec<Value> {
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["type"] == "event").collect()
}

#[tokio::test]
async fn the_lines_are_the_whole_log_with_what_was_signed_of_it() {
    let acme = ExportedOrg::start().await;
    acme.create_project("P", "Ada/1").await;
    acme.wait_until_sealed().await;
    let reply = acme.ada.get(LINES).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"audit-events.jsonl\""));
    let lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["log", "event", "event", "event", "head"]);
    assert_eq!((&lines[0]["pruned_seq"], &lines[4]["hash"]), (&json!(0), &lines[3]["hash"]));
    let shown = acme.newest(2).await.remove(1);
    for member in
        ["id", "seq", "occurred_at", "actor", "action", "details", "ip", "user_agent", "prev_hash", "hash"]
    {
        assert_eq!(lines[3][member], shown[member], "{member}");
    }
}

#[tokio::test]
async fn a_table_has_no_formulas_in_it() {
    let acme = ExportedOrg::start().await;
    for (code, agent) in
        [("A", "=cmd|' /C calc'!A0"), ("B", "@SUM(1,1)"), ("C", "+1"), ("D", "say \"so\", please")]
    {
        acme.create_project(code, agent).await;
    }
    acme.wait_until_sealed().await;
    let reply = acme.ada.get(CSV).await;
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"audit-events.csv\""));
    let rows: Vec<_> = reply.text().lines().collect();
    assert_eq!(rows.len(), 1 + 6, "{rows:?}");
    assert!(rows[0].starts_with("seq,id,occurred_at,actor_kind,"), "{}", rows[0]);
    for (row, cell) in [
        (3, ",'=cmd|' /C calc'!A0,"),
        (4, ",\"'@SUM(1,1)\","),
        (5, ",'+1,"),
        (6, ",\"say \"\"so\"\", please\","),
    ] {
        assert!(rows[row].contains(cell), "{cell}: {}", rows[row]);
        assert!(
            rows[row].starts_with(&format!("{row},")) && rows[row].contains(",127.0.0.1,"),
            "{}",
            rows[row]
        );
    }
}

/// The details of the event of an export with these filters.
fn recorded(format: &str, filters: &Value) -> Value {
    let mut details = json!({
        "format": format, "from": null, "to": null, "seq_from": null, "seq_to": null, "request_id": null,
        "actions": null
    });
    details.as_object_mut().unwrap().extend(filters.as_object().unwrap().clone());
    details
}

#[tokio::test]
async fn members_with_the_permission_export_and_it_is_recorded() {
    let acme = ExportedOrg::start().await;
    let (bob, database, slug) = (acme.join("bob", "viewer").await, acme.database().await, &*acme.slug);
    database.insert_role(slug, "exporter").await;
    database.set_only_role(slug, &acme.email("bob"), "exporter").await;
    for (permission, see, take) in [("audit:export", 403, 200), ("audit:read", 200, 403)] {
        database.set_role_permission(slug, "exporter", permission).await;
        // Permissions are cached for a moment.
        let seen = async || bob.get(&format!("{ACME}/audit-events")).await.status == see;
        eventually("the permissions have changed", seen).await;
        for path in [CSV, LINES] {
            assert_eq!(bob.get(path).await.status, take, "{permission}");
        }
    }
    let from = "2026-01-01T00:00:00Z";
    acme.ada.get(&format!("{CSV}?from={from}&action=member.added&action=member.removed")).await;
    let page = acme.ada.get(&format!("{ACME}/audit-events?action=audit.exported")).await.expect(200);
    let rows_text: Vec<_> =
        page["data"].as_array().unwrap().iter().map(|event| event["details"]["after"].clone()).collect();
    assert_eq!(
        rows_text,
        [
            recorded("csv", &json!({ "from": from, "actions": ["member.added", "member.removed"] })),
            recorded("jsonl", &json!({})),
            recorded("csv", &json!({})),
        ]
    );
    assert_eq!(page["data"][1]["actor"]["label"], acme.email("bob"));
}

#[tokio::test]
async fn a_part_of_the_log_is_what_happened_between_two_instants() {
    let acme = ExportedOrg::start().await;
    for code in ["A", "B", "C", "D"] {
        acme.create_project(code, "Ada/1").await;
    }
    acme.wait_until_sealed().await;
    let all = events(acme.ada.get(LINES).await.text());
    assert_eq!(all.len(), 6);
    let instant = |number: usize| all[number]["occurred_at"].as_str().unwrap();
    let query = format!("from={}&to={}", instant(3), instant(5));
    let reply = acme.ada.get(&format!("{LINES}?{query}")).await;
    // It claims to be nothing more: neither its beginning nor its end is signed.
    assert_eq!((reply.text().lines().count(), events(reply.text())), (2, all[3..5].to_vec()));
    assert_eq!(acme.ada.get(&format!("{CSV}?{query}")).await.text().lines().count(), 1 + 2);
    // The other filters select, too.
    let request = all[4]["request_id"].as_str().unwrap();
    for (query, expected) in [
        ("seq_from=4&seq_to=5".to_owned(), all[3..5].to_vec()),
        ("seq_from=2&action=project.created&action=role.created".to_owned(), all[2..].to_vec()),
        (format!("request_id={request}"), all[4..5].to_vec()),
    ] {
        let reply = acme.ada.get(&format!("{LINES}?{query}")).await;
        assert_eq!(events(reply.text()), expected, "{query}");
        assert_eq!(reply.text().lines().count(), expected.len(), "{query}");
        let rows = acme.ada.get(&format!("{CSV}?{query}")).await;
        assert_eq!(rows.text().lines().count(), 1 + expected.len(), "{query}");
    }
    for path in [CSV, LINES] {
        for (query, fault) in [
            (format!("from={}&to={}", instant(3), instant(3)), "to OUT_OF_RANGE"),
            ("seq_from=5&seq_to=4".to_owned(), "seq_to OUT_OF_RANGE"),
        ] {
            let refused = acme.ada.get(&format!("{path}?{query}")).await;
            refused.problem(422, "VALIDATION_FAILED");
            assert_eq!(refused.faults(), [fault]);
        }
    }
}
