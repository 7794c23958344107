//! The list of time entries: windows, filters, orders, pages.

use insula_tests::{Client, Guild, id};
use serde_json::{Value, json};

/// The notes of what a list shows, in its order.
async fn notes(guild: &Guild, who: &Client, query: &str) -> Vec<String> {
    let list = who.get(&guild.path(&format!("/time-entries?{query}"))).await.expect(200);
    let notes = list["data"].as_array().unwrap().iter();
    notes.map(|entry| entry["notes"].as_str().unwrap().to_owned()).collect()
}

/// Four entries of Mia's on one day, named after their hours.
async fn day(guild: &Guild) {
    for (from, to) in [("08", "10"), ("10", "12"), ("12", "12"), ("13", "17")] {
        let at = |hour: &str| format!("2026-03-02T{hour}:00:00Z");
        guild.track(&guild.mia, (&at(from), &at(to)), json!({ "notes": format!("{from}-{to}") })).await;
    }
}

#[tokio::test]
async fn a_window_is_half_open_and_counts_what_only_touches_it() {
    let guild = Guild::start().await;
    day(&guild).await;
    let window = async |from: &str, to: &str| {
        let query = format!("sort=started_at&from=2026-03-02T{from}Z&to=2026-03-02T{to}Z");
        notes(&guild, &guild.mia, &query).await
    };
    // One that crosses `from` is there once; one that ends when it begins is not, nor what begins when it ends.
    assert_eq!(window("09:00:00", "11:00:00").await, ["08-10", "10-12"]);
    assert_eq!(window("10:00:00", "13:00:00").await, ["10-12", "12-12"]);
    assert_eq!(window("12:00:00", "13:00:00").await, Vec::<String>::new());
    assert_eq!(window("11:59:59", "13:00:01").await, ["10-12", "12-12", "13-17"]);
    assert_eq!(notes(&guild, &guild.mia, "from=2026-03-02T12:30:00Z").await, ["13-17"]);
    assert_eq!(notes(&guild, &guild.mia, "to=2026-03-02T08:00:01Z").await, ["08-10"]);
    // What runs may run on, for as long as an entry may last anywhere.
    let started = json!({ "notes": "now", "started_at": "2026-04-01T08:00:00Z" });
    guild.mia.post(&guild.path("/timer/start"), started).await.expect(201);
    assert_eq!(window("18:00:00", "20:00:00").await, Vec::<String>::new());
    assert_eq!(notes(&guild, &guild.mia, "from=2026-05-02T08:00:00Z").await, ["now"]);
    assert_eq!(notes(&guild, &guild.mia, "from=2026-05-02T08:00:01Z").await, Vec::<String>::new());
    let reply =
        guild.mia.get(&guild.path("/time-entries?from=2026-03-02T12:00:00Z&to=2026-03-02T12:00:00Z")).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["to OUT_OF_RANGE"]);
}

#[tokio::test]
async fn entries_are_found_by_what_is_said_of_them() {
    let guild = Guild::start().await;
    let project = guild.project("ENGINE").await;
    let span = ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
    guild.track(&guild.mia, span, json!({ "notes": "plain" })).await;
    guild.track(&guild.mia, span, json!({ "notes": "paid", "billable": true })).await;
    guild.track(&guild.admin, span, json!({ "notes": "engine", "project_id": project })).await;
    guild.mia.post(&guild.path("/timer/start"), json!({ "notes": "now" })).await.expect(201);
    let found = async |query: &str| notes(&guild, &guild.owner, &format!("sort=created_at&{query}")).await;
    assert_eq!(found("").await, ["plain", "paid", "engine", "now"]);
    assert_eq!(found("billable=true").await, ["paid"]);
    assert_eq!(found("running=true").await, ["now"]);
    assert_eq!(found("running=false&billable=false").await, ["plain", "engine"]);
    assert_eq!(found(&format!("project_id={project}")).await, ["engine"]);
    assert_eq!(found(&format!("member_id={}", guild.member(&guild.admin).await)).await, ["engine"]);
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
        let reply = guild.owner.get(&guild.path(&format!("/time-entries?{query}"))).await;
        let problem = reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], fault, "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_in_either_order() {
    let guild = Guild::start().await;
    day(&guild).await;
    for (sort, order) in [
        ("started_at", ["08-10", "10-12", "12-12", "13-17"]),
        ("-started_at", ["13-17", "12-12", "10-12", "08-10"]),
        ("created_at", ["08-10", "10-12", "12-12", "13-17"]),
        ("-created_at", ["13-17", "12-12", "10-12", "08-10"]),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = guild.path(&format!("/time-entries?limit=3&sort={sort}{cursor}"));
            let page = guild.mia.get(&path).await.expect(200);
            seen.extend(page["data"].as_array().unwrap().iter().map(|entry| entry["notes"].clone()));
            match &page["next_cursor"] {
                Value::String(next) => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        assert_eq!(seen, order, "{sort}");
    }
    assert_eq!(notes(&guild, &guild.mia, "").await[0], "13-17", "the newest comes first");
}

/// Work on private projects is visible to project members and to members who manage projects.
#[tokio::test]
async fn time_of_others_on_a_private_project_is_not_there() {
    let guild = Guild::start().await;
    let project = guild.project("SECRET").await;
    let span = ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");
    let entry = guild.track(&guild.owner, span, json!({ "project_id": project, "notes": "ada's" })).await;
    guild.track(&guild.mia, span, json!({ "project_id": project, "notes": "mia's" })).await;
    guild.track(&guild.owner, span, json!({ "notes": "open" })).await;
    let vault = guild.server.vault().await;
    vault.execute(&format!("UPDATE projects SET is_private = TRUE WHERE {}", guild.own())).await;
    let role = json!({ "name": "Reader", "permissions": ["time_entries:read", "time_entries:read_all", "time_entries:create"] });
    guild.owner.post(&guild.path("/roles"), role).await.expect(201);
    vault.appoint(&guild.slug, &guild.email("mia"), "reader").await;
    let path = guild.path(&format!("/time-entries/{}", id(&entry)));

    assert_eq!(notes(&guild, &guild.mia, "sort=created_at").await, ["mia's", "open"]);
    guild.mia.get(&path).await.problem(404, "NOT_FOUND");
    let draft = json!({ "project_id": project, "started_at": span.0, "ended_at": span.1 });
    let reply = guild.mia.post(&guild.path("/time-entries"), draft.clone()).await;
    reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(reply.faults(), ["project_id UNKNOWN_PROJECT"]);
    // Also when the project is deleted.
    vault.execute(&format!("UPDATE projects SET deleted_at = created_at WHERE {}", guild.own())).await;
    assert_eq!(notes(&guild, &guild.mia, "sort=created_at").await, ["mia's", "open"]);
    vault.execute(&format!("UPDATE projects SET deleted_at = NULL WHERE {}", guild.own())).await;
    assert_eq!(notes(&guild, &guild.admin, "sort=created_at").await.len(), 3, "he may change projects");

    let member = guild.member(&guild.mia).await;
    let joined = format!(
        "INSERT INTO project_members (id, organization_id, project_id, member_id, created_at)
         SELECT {}, p.organization_id, p.id, m.id, p.created_at FROM projects p, members m WHERE m.id = {}
         AND p.{}",
        vault.fresh_id(),
        vault.id(&member),
        guild.own(),
    );
    assert_eq!(vault.execute(&joined).await, 1);
    assert_eq!(notes(&guild, &guild.mia, "sort=created_at").await, ["ada's", "mia's", "open"]);
    guild.mia.post(&guild.path("/time-entries"), draft).await.expect(201);
}
