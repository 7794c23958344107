//! Exports of time entries and tasks: their content, who can export what, and protection against formulas.

mod common_rules;
mod tasks;

use std::collections::BTreeMap;

use insula_tests::{
    OrgWithOwner, Reply, Server, eventually,
    fixtures::time_entries::{TaskFixture, TimeEntryFixture, new_id, seconds},
};
use serde_json::{Value, json};

use super::recorded_org::RecordedOrg;

const ACME: &str = "/api/v1/organizations/{org}";
const ENTRIES: &str = "/api/v1/organizations/{org}/exports/time-entries";
const TASKS: &str = "/api/v1/organizations/{org}/exports/tasks";

impl RecordedOrg {
    /// Hers, so many hours after a Monday began, for half an hour.
    fn half_hour(&self, hour: i64) -> TimeEntryFixture {
        let started = seconds("2026-03-02T00:00:00Z") + hour * 3600;
        TimeEntryFixture {
            id: new_id(),
            member: self.member.clone(),
            started,
            ended: Some(started + 1800),
            ..TimeEntryFixture::default()
        }
    }

    async fn hide(&self, code: &str) {
        let own = self.own_rows();
        let hide = format!("UPDATE projects SET is_private = true WHERE code = '{code}' AND {own}");
        assert_eq!(self.database.execute(&hide).await, 1);
    }
}

/// The rows of a CSV (RFC 4180), the header first.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut rows, mut row, mut cell, mut quoted) = (vec![], vec![], String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(row.is_empty() && cell.is_empty() && !quoted, "the file is whole");
    rows
}

/// Each row by the names of its columns.
fn table(reply: &Reply) -> Vec<BTreeMap<String, String>> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut rows = rows(reply.text()).into_iter();
    let head = rows.next().unwrap();
    let table: Vec<BTreeMap<_, _>> = rows.map(|row| head.iter().cloned().zip(row).collect()).collect();
    assert_eq!(reply.header("x-total-count"), Some(&*table.len().to_string()));
    table
}

fn column(reply: &Reply, name: &str) -> Vec<String> {
    table(reply).into_iter().map(|row| row[name].clone()).collect()
}

fn file(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", reply.text());
}

fn objects(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reply.header("x-total-count"), Some(&*lines.len().to_string()));
    lines
}

#[tokio::test]
async fn entries_are_in_the_file_as_they_are_in_the_order_of_their_beginning() {
    let acme = RecordedOrg::start().await;
    let engine = acme.create_project("ENGINE", "ENGINE").await;
    let job = TaskFixture {
        id: new_id(),
        project: Some(engine.clone()),
        title: "Build".to_owned(),
        ..TaskFixture::default()
    };
    acme.database.insert_tasks(&acme.slug, std::slice::from_ref(&job)).await;
    let (dull, odd) = (
        acme.database.insert_tag(&acme.slug, "dull").await,
        acme.database.insert_tag(&acme.slug, r"a;b\").await,
    );
    let full = TimeEntryFixture {
        project: Some(engine.clone()),
        task: Some(job.id.clone()),
        activity: Some("Building".to_owned()),
        notes: Some("two\nlines, \"quoted\"".to_owned()),
        billable: true,
        tags: vec![dull.clone(), odd.clone()],
        ..acme.half_hour(5)
    };
    let runs = TimeEntryFixture { ended: None, ..acme.half_hour(7) };
    let deleted = TimeEntryFixture { is_deleted: true, ..acme.half_hour(6) };
    let bare = acme.half_hour(1);
    acme.database.insert_time_entries(&acme.slug, &[runs.clone(), full.clone(), deleted, bare.clone()]).await;

    let reply = acme.ada.get(&format!("{ENTRIES}.csv")).await;
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"time-entries.csv\""));
    assert_eq!(
        rows(reply.text())[0].join(","),
        "id,member_id,member_email,project_id,project_code,task_id,activity,notes,started_at,ended_at,\
         duration_seconds,billable,tags"
    );
    let rows_read = table(&reply);
    let cells = |entry: &TimeEntryFixture, rest: [&str; 10]| {
        let mut cells = vec![entry.id.clone(), acme.member.clone(), acme.email("ada")];
        cells.extend(rest.map(str::to_owned));
        cells
    };
    let expected = [
        cells(
            &bare,
            ["", "", "", "", "", "2026-03-02T01:00:00Z", "2026-03-02T01:30:00Z", "1800", "false", ""],
        ),
        cells(
            &full,
            [
                &engine,
                "ENGINE",
                &job.id,
                "Building",
                "two\nlines, \"quoted\"",
                "2026-03-02T05:00:00Z",
                "2026-03-02T05:30:00Z",
                "1800",
                "true",
                r"a\;b\\;dull",
            ],
        ),
        cells(&runs, ["", "", "", "", "", "2026-03-02T07:00:00Z", "", "", "false", ""]),
    ];
    assert_eq!(rows(reply.text())[1..], expected);
    assert_eq!(rows_read.len(), 3);

    let reply = acme.ada.get(&format!("{ENTRIES}.jsonl")).await;
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"time-entries.jsonl\""));
    let lines = objects(&reply);
    assert_eq!(
        lines[1],
        json!({
            "id": full.id, "member_id": acme.member, "member_email": acme.email("ada"), "project_id": engine,
            "project_code": "ENGINE", "task_id": job.id, "activity": "Building", "notes": full.notes,
            "started_at": "2026-03-02T05:00:00Z", "ended_at": "2026-03-02T05:30:00Z", "duration_seconds": 1800,
            "billable": true, "tags": [r"a;b\", "dull"], "tag_ids": [odd, dull],
        })
    );
    let bare = json!([lines[0]["project_id"], lines[0]["notes"], lines[0]["tags"], lines[2]["ended_at"]]);
    assert_eq!(bare, json!([null, null, [], null]));
}

#[tokio::test]
async fn entries_are_narrowed_by_time_member_and_project() {
    let acme = RecordedOrg::start().await;
    let (_, bob) = acme.join("bob", "member").await;
    let engine = acme.create_project("ENGINE", "ENGINE").await;
    let mut entries: Vec<_> = (0..6).map(|number| acme.half_hour(number)).collect();
    entries[1].member.clone_from(&bob);
    entries[2].project = Some(engine.clone());
    entries[5].ended = None;
    acme.database.insert_time_entries(&acme.slug, &entries).await;
    let instant = |seconds: i64| {
        let minutes = (seconds - seconds_of_monday()) / 60;
        format!("2026-03-02T{:02}:{:02}:00Z", minutes / 60, minutes % 60)
    };
    let end = instant(entries[2].ended.unwrap());
    for (query, places) in [
        (String::new(), &[0, 1, 2, 3, 4, 5][..]),
        (format!("member_id={bob}"), &[1]),
        (format!("project_id={engine}"), &[2]),
        (format!("project_id={bob}"), &[]),
        // One that ends there is over; what runs may run on for a month; one that begins at the end is not in it.
        (format!("from={end}"), &[3, 4, 5]),
        (format!("from=2026-03-02T02:29:59Z&to={}", instant(entries[4].started)), &[2, 3]),
        (format!("to={}", instant(entries[1].started)), &[0]),
        ("from=2026-03-31T00:00:00Z".to_owned(), &[5]),
        ("from=2030-01-01T00:00:00Z".to_owned(), &[]),
    ] {
        let ids: Vec<_> = places.iter().map(|place: &usize| entries[*place].id.clone()).collect();
        assert_eq!(column(&acme.ada.get(&format!("{ENTRIES}.csv?{query}")).await, "id"), ids, "{query}");
    }
    for (query, fault) in [
        (format!("from={end}&to={end}"), "to OUT_OF_RANGE"),
        ("from=today".to_owned(), "from INVALID_FORMAT"),
        ("member_id=ada".to_owned(), "member_id INVALID_FORMAT"),
        ("status=todo".to_owned(), "status UNKNOWN_FIELD"),
    ] {
        for format in ["csv", "jsonl"] {
            let reply = acme.ada.get(&format!("{ENTRIES}.{format}?{query}")).await;
            reply.problem(422, "VALIDATION_FAILED");
            assert_eq!(reply.faults(), [fault]);
        }
    }
}

fn seconds_of_monday() -> i64 {
    seconds("2026-03-02T00:00:00Z")
}

#[tokio::test]
async fn entries_are_those_that_the_caller_sees() {
    let acme = RecordedOrg::start().await;
    let (bob, bob_id) = acme.join("bob", "member").await;
    let role = json!({ "name": "Auditor", "permissions": ["exports:create", "time_entries:read_all"] });
    acme.ada.post(&format!("{ACME}/roles"), role).await.expect(201);
    let secret = acme.create_project("SECRET", "SECRET").await;
    acme.hide("SECRET").await;
    let on_secret = |worked: TimeEntryFixture| TimeEntryFixture { project: Some(secret.clone()), ..worked };
    let entries = [
        acme.half_hour(0),
        TimeEntryFixture { member: bob_id.clone(), ..acme.half_hour(1) },
        on_secret(acme.half_hour(2)),
        on_secret(TimeEntryFixture { member: bob_id.clone(), ..acme.half_hour(3) }),
    ];
    acme.database.insert_time_entries(&acme.slug, &entries).await;
    let path = format!("{ENTRIES}.csv");
    let ids = |places: &[usize]| places.iter().map(|place| entries[*place].id.clone()).collect::<Vec<_>>();
    assert_eq!(column(&acme.ada.get(&path).await, "id"), ids(&[0, 1, 2, 3]));
    assert_eq!(column(&acme.ada.get(&path).await, "project_code"), ["", "", "SECRET", "SECRET"]);
    assert_eq!(column(&bob.get(&path).await, "id"), ids(&[1, 3]));
    acme.database.set_only_role(&acme.slug, &acme.email("bob"), "auditor").await;
    let sees = async || column(&bob.get(&path).await, "id") == ids(&[0, 1, 3]);
    eventually("bob is an auditor", sees).await;
    // Members see their own old entries without the name of a project they can no longer see.
    assert_eq!(column(&bob.get(&path).await, "project_code"), ["", "", ""]);
    acme.database.set_only_role(&acme.slug, &acme.email("bob"), "viewer").await;
    eventually("bob is a viewer", async || bob.get(&path).await.status == 403).await;
    assert_eq!(bob.get(&path).await.problem(403, "FORBIDDEN")["permission"], "exports:create");
    for format in ["csv", "jsonl"] {
        bob.get(&format!("{TASKS}.{format}")).await.problem(403, "FORBIDDEN");
    }
}
