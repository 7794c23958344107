//! Reading audit logs: of an organization, of the platform, and the activity of a user.

use std::ops::Deref;

use insula_tests::{Client, OrgWithOwner, PASSWORD, Server, TestDatabase, eventually, unique};
use serde_json::{Value, json};

const ACME: &str = "/api/v1/organizations/{org}";
const EVENTS: &str = "/api/v1/organizations/{org}/audit-events";
const ACTIVITY: &str = "/api/v1/users/me/activity";
const ADMIN: &str = "/api/v1/admin/audit-events";

/// Ada's organization, in which bob is an admin.
struct AuditedOrg {
    base: OrgWithOwner,
    superuser: Client,
    database: TestDatabase,
    ada: Client,
    bob: Client,
    /// Bob's id.
    bob_id: String,
    /// The path of a project that ada has changed twice.
    project: String,
}

impl AuditedOrg {
    async fn start() -> Self {
        Self::of(OrgWithOwner::start().await).await
    }

    /// For tests of the log of the platform.
    async fn alone() -> Self {
        Self::of(OrgWithOwner::on(Server::with_superuser().await.0).await).await
    }

    async fn of(base: OrgWithOwner) -> Self {
        let (superuser, database) = (base.superuser().await, base.database().await);
        let ada = base.owner.with("user-agent", "Ada/1");
        let bob = base.join("bob", "admin").await.with("user-agent", "Bob/1");
        let bob_id = bob.get("/api/v1/users/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        let projects = format!("{ACME}/projects");
        let made = ada.post(&projects, json!({ "code": "P", "name": "P" })).await;
        let project = made.header("location").unwrap().to_owned();
        bob.post(&projects, json!({ "code": "Q", "name": "Q" })).await.expect(201);
        for name in ["Engine", "Motor"] {
            ada.patch(&project, json!({ "name": name })).await.expect(200);
        }
        Self { base, superuser, database, ada, bob, bob_id, project }
    }

    /// Adds an event.
    async fn happen(&self, name: &str) {
        self.bob.patch(&self.project, json!({ "name": name })).await.expect(200);
    }
}

impl Deref for AuditedOrg {
    type Target = OrgWithOwner;

    fn deref(&self) -> &OrgWithOwner {
        &self.base
    }
}

async fn listed(client: &Client, path: &str, query: &str) -> Vec<Value> {
    let page = client.get(&format!("{path}?limit=100&{query}")).await.expect(200);
    assert_eq!(page["has_more"], false);
    page["data"].as_array().unwrap().clone()
}

fn ids(events: &[Value]) -> Vec<Value> {
    events.iter().map(|event| event["id"].clone()).collect()
}

#[tokio::test]
async fn each_filter_narrows_the_log_and_all_are_joined() {
    let acme = AuditedOrg::start().await;
    let all = listed(&acme.ada, EVENTS, "").await;
    let actions: Vec<_> = all.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "project.updated",
            "project.updated",
            "project.created",
            "project.created",
            "member.added",
            "organization.created"
        ]
    );
    let project = acme.project.rsplit('/').next().unwrap();
    let third = all[2]["occurred_at"].as_str().unwrap();
    let wanted = |wanted: &dyn Fn(&Value) -> bool| {
        ids(&all.iter().filter(|event| wanted(event)).cloned().collect::<Vec<_>>())
    };
    let bob = |event: &Value| event["actor"]["id"] == acme.bob_id;
    for (query, expected) in [
        (format!("actor={}", acme.bob_id), wanted(&bob)),
        ("action=project.updated".to_owned(), wanted(&|event| event["action"] == "project.updated")),
        ("action=role.deleted".to_owned(), vec![]),
        (
            "action=project.updated&action=role.deleted&action=member.added".to_owned(),
            wanted(&|event| event["action"] == "project.updated" || event["action"] == "member.added"),
        ),
        ("resource=project".to_owned(), wanted(&|event| event["resource"] == "project")),
        (format!("resource_id={project}"), wanted(&|event| event["resource_id"] == project)),
        ("outcome=success".to_owned(), ids(&all)),
        ("outcome=denied".to_owned(), vec![]),
        ("ip=127.0.0.1".to_owned(), ids(&all)),
        ("ip=::ffff:127.0.0.1".to_owned(), ids(&all)),
        ("ip=203.0.113.7".to_owned(), vec![]),
        // From an instant on, and before one.
        (format!("from={third}"), ids(&all[..3])),
        (format!("to={third}"), ids(&all[3..])),
        (format!("from={}&to={third}", all[4]["occurred_at"].as_str().unwrap()), ids(&all[3..])),
        (format!("resource=project&actor={}&to={third}", acme.bob_id), vec![]),
        (format!("resource=project&actor={}&ip=127.0.0.1&from={third}", acme.bob_id), wanted(&bob)),
    ] {
        let mut found = listed(&acme.bob, EVENTS, &query).await;
        assert_eq!(ids(&found), expected, "{query}");
        found.reverse();
        let upward = listed(&acme.bob, EVENTS, &format!("{query}&sort=occurred_at")).await;
        assert_eq!(ids(&upward), ids(&found), "{query}");
    }
}

#[tokio::test]
async fn sealed_events_are_selected_by_number_and_all_events_by_request() {
    let acme = AuditedOrg::start().await;
    acme.wait_until_sealed().await;
    let sealed = listed(&acme.ada, EVENTS, "sort=occurred_at").await;
    let seqs = async |query: &str| -> Vec<i64> {
        let found = listed(&acme.ada, EVENTS, &format!("{query}&sort=occurred_at")).await;
        found.iter().map(|event| event["seq"].as_i64().unwrap()).collect()
    };
    let last = sealed.len() as i64;
    assert_eq!(seqs("seq_from=1").await, (1..=last).collect::<Vec<_>>());
    assert_eq!(seqs("seq_from=2&seq_to=3").await, [2, 3]);
    assert_eq!(seqs("seq_from=2&seq_to=2").await, [2]);
    assert_eq!(seqs(&format!("seq_from={}", last + 1)).await, [0; 0]);

    let request = sealed[1]["request_id"].as_str().unwrap();
    let of_request: Vec<_> = sealed.iter().filter(|event| event["request_id"] == request).cloned().collect();
    assert!(!of_request.is_empty() && of_request.len() < sealed.len());
    let found = listed(&acme.ada, EVENTS, &format!("request_id={request}&sort=occurred_at")).await;
    assert_eq!(ids(&found), ids(&of_request));
    assert!(listed(&acme.ada, EVENTS, "request_id=none").await.is_empty());
    assert!(listed(&acme.superuser, ADMIN, &format!("request_id={request}")).await.is_empty());
}

#[tokio::test]
async fn a_filter_that_makes_no_sense_is_named() {
    let acme = AuditedOrg::start().await;
    for (query, faults) in [
        ("action=project.exploded", vec!["action[0] UNKNOWN_REFERENCE"]),
        ("action=Project", vec!["action[0] INVALID_FORMAT"]),
        ("action=project.updated&action=project.exploded", vec!["action[1] UNKNOWN_REFERENCE"]),
        ("seq_from=3&seq_to=2", vec!["seq_to OUT_OF_RANGE"]),
        ("seq_from=0", vec!["seq_from TOO_SMALL"]),
        ("seq_to=last", vec!["seq_to WRONG_TYPE"]),
        ("request_id=a%20b", vec!["request_id INVALID_FORMAT"]),
        ("ip=1.2.3", vec!["ip INVALID_FORMAT"]),
        ("ip=localhost", vec!["ip INVALID_FORMAT"]),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", vec!["to OUT_OF_RANGE"]),
        ("from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z", vec!["to OUT_OF_RANGE"]),
        ("from=yesterday", vec!["from INVALID_FORMAT"]),
        ("actor=ada", vec!["actor INVALID_FORMAT"]),
        ("outcome=maybe", vec!["outcome NOT_A_CHOICE"]),
        ("sort=ip", vec!["sort NOT_A_CHOICE"]),
        (
            "action=no.such&ip=x.y&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            vec!["action[0] UNKNOWN_REFERENCE", "ip INVALID_FORMAT", "to OUT_OF_RANGE"],
        ),
    ] {
        for (client, path) in [(&acme.ada, EVENTS), (&acme.superuser, ADMIN)] {
            let refused = client.get(&format!("{path}?{query}")).await;
            refused.problem(422, "VALIDATION_FAILED");
            assert_eq!(refused.faults(), faults, "{query}");
        }
    }
}

#[tokio::test]
async fn pages_stay_as_they_are_while_events_are_added() {
    let acme = AuditedOrg::start().await;
    let before = ids(&listed(&acme.ada, EVENTS, "").await);
    for (sort, is_upward) in [("-occurred_at", false), ("occurred_at", true)] {
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = acme.ada.get(&format!("{EVENTS}?limit=2&sort={sort}{cursor}")).await.expect(200);
            found.extend(ids(page["data"].as_array().unwrap()));
            pages += 1;
            let Some(next) = page["next_cursor"].as_str().filter(|_| pages < 8) else { break };
            cursor = format!("&cursor={next}");
            acme.happen(&format!("{sort} {pages}")).await;
            let other = format!("{EVENTS}?limit=2&sort={sort}{cursor}&resource=project");
            acme.ada.get(&other).await.problem(422, "INVALID_CURSOR");
        }
        let mut expected = before.clone();
        if is_upward {
            // New events are at the end and are listed, too.
            expected = ids(&listed(&acme.ada, EVENTS, "sort=occurred_at").await);
            expected.truncate(found.len());
        }
        assert_eq!(found, expected, "{sort}");
    }
}

#[tokio::test]
async fn an_event_says_who_did_it_from_where_and_in_which_trace() {
    let acme = AuditedOrg::start().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let change = acme.ada.patch(&acme.project, json!({ "name": "Turbine" }));
    let change = change.header("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"));
    change.header("x-request-id", "turbine-1").await.expect(200);
    let event = listed(&acme.ada, EVENTS, "").await.remove(0);
    let path = format!("{EVENTS}/{}", event["id"].as_str().unwrap());
    eventually("it is sealed", async || acme.ada.get(&path).await.expect(200)["seq"].is_number()).await;
    let sealed = acme.ada.get(&path).await.expect(200);
    for (member, value) in [
        ("action", json!("project.updated")),
        ("resource", json!("project")),
        ("outcome", json!("success")),
        ("details", json!({ "before": { "name": "Motor" }, "after": { "name": "Turbine" } })),
        ("ip", json!("127.0.0.1")),
        ("user_agent", json!("Ada/1")),
        ("request_id", json!("turbine-1")),
        ("trace_id", json!(trace)),
        ("seq", json!(7)),
    ] {
        assert_eq!(sealed[member], value, "{member}");
    }
    assert_eq!(
        (&sealed["actor"]["kind"], &sealed["actor"]["label"]),
        (&json!("user"), &json!(acme.email("ada")))
    );
    assert!(sealed["session_id"].is_string() && sealed["hash"] != sealed["prev_hash"], "{sealed}");
    assert_eq!(listed(&acme.ada, EVENTS, "").await[0], sealed);
}

#[tokio::test]
async fn nobody_sees_the_log_of_another_organization() {
    let acme = AuditedOrg::alone().await;
    let eve = acme.stranger("eve").await;
    eve.create_organization("other").await;
    let event = ids(&listed(&acme.ada, EVENTS, "").await)[0].as_str().unwrap().to_owned();
    let platform = listed(&acme.superuser, ADMIN, "").await;
    assert!(platform.iter().all(|event| event["organization_id"].is_null()));
    for id in [event.as_str(), platform[0]["id"].as_str().unwrap(), "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091"] {
        let there = format!("/api/v1/organizations/other/audit-events/{id}");
        eve.get(&there).await.problem(404, "NOT_FOUND");
    }
    for path in ["audit-events", "audit/verify", "audit/checkpoints", "exports/audit-events.csv"] {
        eve.get(&format!("{ACME}/{path}")).await.problem(404, "NOT_FOUND");
    }
    for path in [ADMIN, "/api/v1/admin/audit/verify"] {
        acme.ada.get(path).await.problem(403, "FORBIDDEN");
        acme.server.client().get(path).await.problem(401, "UNAUTHENTICATED");
    }
    acme.database.set_only_role("acme", "bob@example.com", "member").await;
    for path in ["audit-events", "audit/verify", "exports/audit-events.jsonl"] {
        acme.bob.get(&format!("{ACME}/{path}")).await.problem(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn users_see_their_own_activity_in_all_logs_and_nothing_else() {
    let acme = AuditedOrg::start().await;
    acme.bob.create_organization(&unique("bobs")).await;
    acme.bob.patch("/api/v1/users/me", json!({ "first_name": "Bob" })).await.expect(200);
    let events_of_bob = listed(&acme.bob, ACTIVITY, "").await;
    assert!(
        events_of_bob
            .iter()
            .all(|event| event["actor"]["id"] == acme.bob_id || event["action"] == "session.refused")
    );
    let logs: std::collections::BTreeSet<_> =
        events_of_bob.iter().map(|event| event["organization_id"].to_string()).collect();
    // The personal organization, acme, bobs, and the platform.
    assert_eq!(logs.len(), 4, "{logs:?}");
    let actions: Vec<_> = events_of_bob.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions[0], "user.updated");
    for action in ["session.created", "project.created", "organization.created", "member.added"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    let page = acme.bob.get(&format!("{ACTIVITY}?limit=3")).await.expect(200);
    assert_eq!(
        (ids(page["data"].as_array().unwrap()), &page["has_more"]),
        (ids(&events_of_bob[..3]), &json!(true))
    );
    let cursor = page["next_cursor"].as_str().unwrap();
    acme.ada.get(&format!("{ACTIVITY}?cursor={cursor}")).await.problem(422, "INVALID_CURSOR");
    let ids_of_ada = ids(&listed(&acme.ada, ACTIVITY, "").await);
    assert!(ids(&events_of_bob).iter().all(|id| !ids_of_ada.contains(id)));
}

#[tokio::test]
async fn superusers_read_and_verify_the_platform_log() {
    let acme = AuditedOrg::alone().await;
    let events = listed(&acme.superuser, ADMIN, "action=session.created").await;
    assert!(events.len() >= 3 && events.iter().all(|event| event["action"] == "session.created"));
    let events_of_bob = listed(&acme.superuser, ADMIN, &format!("actor={}", acme.bob_id)).await;
    let actions: Vec<_> = events_of_bob.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["session.created", "user.registered"]);
    let person = json!({ "email": "new@example.com", "password": PASSWORD });
    acme.superuser.post("/api/v1/admin/users", person).await.expect(201);
    let newest = listed(&acme.superuser, ADMIN, "").await.remove(0);
    assert_eq!((&newest["action"], &newest["actor"]["kind"]), (&json!("user.created"), &json!("superuser")));
    let written = "SELECT count(*) FROM audit_events WHERE seq IS NULL";
    eventually("all is sealed", async || acme.database.scalar(written).await == 0).await;
    let report = acme.superuser.get("/api/v1/admin/audit/verify").await.expect(200);
    assert!(report["valid"] == true && report["events"].as_i64() > Some(8), "{report}");
}

#[tokio::test]
async fn what_is_signed_is_shown_with_the_keys_that_verify_it() {
    let acme = AuditedOrg::start().await;
    let verify = async || acme.ada.get(&format!("{ACME}/audit/verify")).await.expect(200);
    eventually("all is sealed", async || verify().await["events"] == 6).await;
    let (report, keys) = (verify().await, acme.client().get("/.well-known/audit-keys.json").await);
    let keys = keys.expect(200);
    let checkpoints = acme.ada.get(&format!("{ACME}/audit/checkpoints")).await.expect(200);
    let (key, checkpoint) = (&keys["keys"][0], &checkpoints["data"][0]);
    assert_eq!(
        (&key["kty"], &key["crv"], &key["kid"]),
        (&json!("OKP"), &json!("Ed25519"), &checkpoint["key_id"])
    );
    assert!(key["d"].is_null() && keys["keys"].as_array().unwrap().len() == 1);
    assert_eq!((&checkpoint["kind"], checkpoint), (&json!("periodic"), &report["checkpoint"]));
    assert_eq!(
        (&report["valid"], &report["from_seq"], &report["head"]["seq"]),
        (&json!(true), &json!(1), &json!(6))
    );
}
