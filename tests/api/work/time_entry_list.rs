//! The list of time entries: windows, filters, orders, pages.

use insula_tests::{Client, OrgFixture, id};
use serde_json::{Value, json};

/// The notes of what a list shows, in its order.
async fn notes(org: &OrgFixture, who: &Client, query: &str) -> Vec<String> {
    let list = who.get(&org.path(&format!("/time-entries?{query}"))).await.expect(200);
    let notes = list["data"].as_array().unwrap().iter();
    notes.map(|entry| entry["notes"].as_str().unwrap().to_owned()).collect()
}

/// Four entries of Mia's on one day, named after their hours.
async fn day(org: &OrgFixture) {
    for (from, to) in [("08", "10"), ("10", "12"), ("12", "12"), ("13", "17")] {
        let at = |hour: &str| format!("2026-03-02T{hour}:00:00Z");
        org.create_time_entry(&org.mia, (&at(from), &at(to)), json!({ "notes": format!("{from}-{to}") }))
            .await;
    }
}

#[tokio::test]
async fn a_window_is_half_open_and_counts_what_only_touches_it() {
    let org = OrgFixture::start().await;
    day(&org).await;
    let window = async |from: &str, to: &str| {
        let query = format!("sort=started_at&from=2026-03-02T{from}Z&to=2026-03-02T{to}Z");
        notes(&org, &org.mia, &query).await
    };
    // One that crosses `from` is there once; one that ends when it begins is not, nor what begins when it ends.
    assert_eq!(window("09:00:00", "11:00:00").await, ["08-10", "10-12"]);
    assert_eq!(window("10:00:00", "13:00:00").await, ["10-12", "12-12"]);
    assert_eq!(window("12:00:00", "13:00:00").await, Vec::<String>::new());
    assert_eq!(window("11:59:59", "13:00:01").await, ["10-12", "12-12", "13-17"]);
    assert_eq!(notes(&org, &org.mia, "from=2026-03-02T12:30:00Z").await, ["13-17"]);
    assert_eq!(notes(&org, &org.mia, "to=2026-03-02T08:00:01Z").await, ["08-10"]);
    // What runs may run on, for as long as an entry may last anywhere.
    let started = json!({ "notes": "now", "started_at": "2026-04-01T08:00:00Z" });
    org.mia.post(&org.path("/timer/start"), started).await.expect(201);
    assert_eq!(window("18:00:00", "20:00:00").await, Vec::<String>::new());
    assert_eq!(notes(&org, &org.mia, "from=2026-05-02T08:00:00Z").await, ["now"]);
    assert_eq!(notes(&org, &org.mia, "from=2026-05-02T08:00:01Z").await, Vec::<String>::new());
    let reply =
        org.mia.get(&org.path("/time-entries?from=2026-03-02T12:00:00Z&to=2026-03-02T12:00:00Z")).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["to OUT_OF_RANGE"]);
}

#[tokio::test]
async fn entries_are_found_by_what_is_said_of_them() {
    let org = OrgFixture::start().await;
    let project = org.create_project("ENGINE").await;
    let span = ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
    org.create_time_entry(&org.mia, span, json!({ "notes": "plain" })).await;
    org.create_time_entry(&org.mia, span, json!({ "notes": "paid", "billable": true })).await;
    org.create_time_entry(&org.admin, span, json!({ "notes": "engine", "project_id": project })).await;
    org.mia.post(&org.path("/timer/start"), json!({ "notes": "now" })).await.expect(201);
    let found = async |query: &str| notes(&org, &org.owner, &format!("sort=created_at&{query}")).await;
    assert_eq!(found("").await, ["plain", "paid", "engine", "now"]);
    assert_eq!(found("billable=true").await, ["paid"]);
    assert_eq!(found("running=true").await, ["now"]);
    assert_eq!(found("running=false&billable=false").await, ["plain", "engine"]);
    assert_eq!(found(&format!("project_id={project}")).await, ["engine"]);
    assert_eq!(found(&format!("member_id={}", org.member(&org.admin).await)).await, ["engine"]);
    let nothing = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";
    for unknown in ["project_id", "task_id", "tag", "member_id"] {
        assert_eq!(found(&format!("{unknown}={nothing}")).await, Vec::<String>::new(), "{unknown}");
    }
    for (query, fault) in [
        ("member_id=you", "member_id"),
        ("running=perhaps", "running"),
        ("from=yesterday", "from"),
        ("sort=notes", "sort"),
        ("who=me", "who"),
    ] {
        let reply = org.owner.get(&org.path(&format!("/time-entries?{query}"))).await;
        let problem = reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], fault, "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_in_either_order() {
    let org = OrgFixture::start().await;
    day(&org).await;
    for (sort, order) in [
        ("started_at", ["08-10", "10-12", "12-12", "13-17"]),
        ("-started_at", ["13-17", "12-12", "10-12", "08-10"]),
        ("created_at", ["08-10", "10-12", "12-12", "13-17"]),
        ("-created_at", ["13-17", "12-12", "10-12", "08-10"]),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = org.path(&format!("/time-entries?limit=3&sort={sort}{cursor}"));
            let page = org.mia.get(&path).await.expect(200);
            seen.extend(page["data"].as_array().unwrap().iter().map(|entry| entry["notes"].clone()));
            match &page["next_cursor"] {
                Value::String(next) => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        assert_eq!(seen, order, "{sort}");
    }
    assert_eq!(notes(&org, &org.mia, "").await[0], "13-17", "the newest comes first");
}

/// Work on private projects is visible to project members and to members who manage projects.
#[tokio::test]
async fn time_of_others_on_a_private_project_is_not_there() {
    let org = OrgFixture::start().await;
    let project = org.create_project("SECRET").await;
    let span = ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
    let entry =
        org.create_time_entry(&org.owner, span, json!({ "project_id": project, "notes": "ada's" })).await;
    org.create_time_entry(&org.mia, span, json!({ "project_id": project, "notes": "mia's" })).await;
    org.create_time_entry(&org.owner, span, json!({ "notes": "open" })).await;
    let database = org.server.database().await;
    database.execute(&format!("UPDATE projects SET is_private = TRUE WHERE {}", org.own_rows())).await;
    let role = json!({ "name": "Reader", "permissions": ["time_entries:read", "time_entries:read_all", "time_entries:create"] });
    org.owner.post(&org.path("/roles"), role).await.expect(201);
    database.set_only_role(&org.slug, &org.email("mia"), "reader").await;
    let path = org.path(&format!("/time-entries/{}", id(&entry)));

    assert_eq!(notes(&org, &org.mia, "sort=created_at").await, ["mia's", "open"]);
    org.mia.get(&path).await.problem(404, "NOT_FOUND");
    let draft = json!({ "project_id": project, "started_at": span.0, "ended_at": span.1 });
    let reply = org.mia.post(&org.path("/time-entries"), draft.clone()).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["project_id UNKNOWN_PROJECT"]);
    // Also when the project is deleted.
    database.execute(&format!("UPDATE projects SET deleted_at = created_at WHERE {}", org.own_rows())).await;
    assert_eq!(notes(&org, &org.mia, "sort=created_at").await, ["mia's", "open"]);
    database.execute(&format!("UPDATE projects SET deleted_at = NULL WHERE {}", org.own_rows())).await;
    assert_eq!(notes(&org, &org.admin, "sort=created_at").await.len(), 3, "admins may update projects");

    let member = org.member(&org.mia).await;
    let joined = format!(
        "INSERT INTO project_members (id, organization_id, project_id, member_id, created_at)
         SELECT {}, p.organization_id, p.id, m.id, p.created_at FROM projects p, members m WHERE m.id = {}
         AND p.{}",
        database.new_id_sql(),
        database.id(&member),
        org.own_rows(),
    );
    assert_eq!(database.execute(&joined).await, 1);
    assert_eq!(notes(&org, &org.mia, "sort=created_at").await, ["ada's", "mia's", "open"]);
    org.mia.post(&org.path("/time-entries"), draft).await.expect(201);
}
