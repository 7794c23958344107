//! Time entries and tasks as files: what is in them, for whom, and that nobody is harmed by them.

use std::collections::BTreeMap;

use insula_tests::{
    Client, Reply, Server, Vault, eventually,
    worked::{Job, Worked, new_id, seconds},
};
use serde_json::{Value, json};

const ACME: &str = "/api/v1/organizations/acme";
const ENTRIES: &str = "/api/v1/organizations/acme/exports/time-entries";
const TASKS: &str = "/api/v1/organizations/acme/exports/tasks";

struct Acme {
    server: Server,
    vault: Vault,
    ada: Client,
    member: String,
}

impl Acme {
    async fn new() -> Self {
        let server = Server::start().await;
        let ada = server.client().register("ada@example.com").await;
        ada.found("acme").await;
        let vault = server.vault().await;
        let member = vault.member_id("acme", "ada@example.com").await;
        Self { server, vault, ada, member }
    }

    async fn join(&self, name: &str, role: &str) -> (Client, String) {
        let email = format!("{name}@example.com");
        let person = self.server.client().register(&email).await;
        self.vault.join("acme", &email, role).await;
        (person, self.vault.member_id("acme", &email).await)
    }

    async fn project(&self, code: &str) -> String {
        let draft = json!({ "code": code, "name": code });
        let project = self.ada.post(&format!("{ACME}/projects"), draft).await.expect(201);
        project["id"].as_str().unwrap().to_owned()
    }

    /// Hers, so many hours after a Monday began, for half an hour.
    fn work(&self, hour: i64) -> Worked {
        let started = seconds("2026-03-02T00:00:00Z") + hour * 3600;
        Worked {
            id: new_id(),
            member: self.member.clone(),
            started,
            ended: Some(started + 1800),
            ..Worked::default()
        }
    }

    async fn hide(&self, code: &str) {
        let hide = format!("UPDATE projects SET is_private = true WHERE code = '{code}'");
        assert_eq!(self.vault.execute(&hide).await, 1);
    }
}

/// The rows of a CSV (RFC 4180), the header first.
fn rows(text: &str) -> Vec<Vec<String>> {
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
    let acme = Acme::new().await;
    let engine = acme.project("ENGINE").await;
    let job =
        Job { id: new_id(), project: Some(engine.clone()), title: "Build".to_owned(), ..Job::default() };
    acme.vault.plant_tasks("acme", std::slice::from_ref(&job)).await;
    let (dull, odd) =
        (acme.vault.plant_tag("acme", "dull").await, acme.vault.plant_tag("acme", r"a;b\").await);
    let full = Worked {
        project: Some(engine.clone()),
        task: Some(job.id.clone()),
        activity: Some("Building".to_owned()),
        notes: Some("two\nlines, \"quoted\"".to_owned()),
        billable: true,
        tags: vec![dull.clone(), odd.clone()],
        ..acme.work(5)
    };
    let runs = Worked { ended: None, ..acme.work(7) };
    let deleted = Worked { is_deleted: true, ..acme.work(6) };
    let bare = acme.work(1);
    acme.vault.plant_entries("acme", &[runs.clone(), full.clone(), deleted, bare.clone()]).await;

    let reply = acme.ada.get(&format!("{ENTRIES}.csv")).await;
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"time-entries.csv\""));
    assert_eq!(
        rows(reply.text())[0].join(","),
        "id,member_id,member_email,project_id,project_code,task_id,activity,notes,started_at,ended_at,\
         duration_seconds,billable,tags"
    );
    let told = table(&reply);
    let cells = |entry: &Worked, rest: [&str; 10]| {
        let mut cells = vec![entry.id.clone(), acme.member.clone(), "ada@example.com".to_owned()];
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
    assert_eq!(told.len(), 3);

    let reply = acme.ada.get(&format!("{ENTRIES}.jsonl")).await;
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"time-entries.jsonl\""));
    let lines = objects(&reply);
    assert_eq!(
        lines[1],
        json!({
            "id": full.id, "member_id": acme.member, "member_email": "ada@example.com", "project_id": engine,
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
    let acme = Acme::new().await;
    let (_, bob) = acme.join("bob", "member").await;
    let engine = acme.project("ENGINE").await;
    let mut entries: Vec<_> = (0..6).map(|number| acme.work(number)).collect();
    entries[1].member.clone_from(&bob);
    entries[2].project = Some(engine.clone());
    entries[5].ended = None;
    acme.vault.plant_entries("acme", &entries).await;
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
        // One that ends there is over; what runs never is; one that begins at the end is not in it.
        (format!("from={end}"), &[3, 4, 5]),
        (format!("from=2026-03-02T02:29:59Z&to={}", instant(entries[4].started)), &[2, 3]),
        (format!("to={}", instant(entries[1].started)), &[0]),
        ("from=2030-01-01T00:00:00Z".to_owned(), &[5]),
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
    let acme = Acme::new().await;
    let (bob, his) = acme.join("bob", "member").await;
    let role = json!({ "name": "Auditor", "permissions": ["exports:create", "time_entries:read_all"] });
    acme.ada.post(&format!("{ACME}/roles"), role).await.expect(201);
    let secret = acme.project("SECRET").await;
    acme.hide("SECRET").await;
    let on_secret = |worked: Worked| Worked { project: Some(secret.clone()), ..worked };
    let entries = [
        acme.work(0),
        Worked { member: his.clone(), ..acme.work(1) },
        on_secret(acme.work(2)),
        on_secret(Worked { member: his.clone(), ..acme.work(3) }),
    ];
    acme.vault.plant_entries("acme", &entries).await;
    let path = format!("{ENTRIES}.csv");
    let ids = |places: &[usize]| places.iter().map(|place| entries[*place].id.clone()).collect::<Vec<_>>();
    assert_eq!(column(&acme.ada.get(&path).await, "id"), ids(&[0, 1, 2, 3]));
    assert_eq!(column(&acme.ada.get(&path).await, "project_code"), ["", "", "SECRET", "SECRET"]);
    assert_eq!(column(&bob.get(&path).await, "id"), ids(&[1, 3]));
    acme.vault.appoint("acme", "bob@example.com", "auditor").await;
    let sees = async || column(&bob.get(&path).await, "id") == ids(&[0, 1, 3]);
    eventually("bob is an auditor", sees).await;
    // His own old time is his, what it was spent on is not his business any more.
    assert_eq!(column(&bob.get(&path).await, "project_code"), ["", "", ""]);
    acme.vault.appoint("acme", "bob@example.com", "viewer").await;
    eventually("bob is a viewer", async || bob.get(&path).await.status == 403).await;
    assert_eq!(bob.get(&path).await.problem(403, "FORBIDDEN")["permission"], "exports:create");
    for format in ["csv", "jsonl"] {
        bob.get(&format!("{TASKS}.{format}")).await.problem(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn tasks_are_in_the_file_as_they_are_in_the_order_they_were_made() {
    let acme = Acme::new().await;
    let (bob, his) = acme.join("bob", "member").await;
    let (open, secret, gone) =
        (acme.project("OPEN").await, acme.project("SECRET").await, acme.project("GONE").await);
    let tag = acme.vault.plant_tag("acme", "later").await;
    let monday = seconds_of_monday();
    let full = Job {
        id: new_id(),
        project: Some(open.clone()),
        title: "=SUM(A1)".to_owned(),
        description: Some("More\nof it".to_owned()),
        status: "in_progress",
        assignee: Some(his.clone()),
        created: monday + 10,
        tags: vec![tag.clone()],
        ..Job::default()
    };
    let plain = |title: &str, created: i64| Job {
        id: new_id(),
        title: title.to_owned(),
        created: monday + created,
        ..Job::default()
    };
    let jobs = [
        plain("third", 30),
        full.clone(),
        Job { project: Some(secret), ..plain("hidden", 40) },
        Job { project: Some(gone.clone()), ..plain("with its project", 50) },
        Job { is_deleted: true, ..plain("deleted", 60) },
        Job { status: "done", ..plain("first", 0) },
    ];
    acme.vault.plant_tasks("acme", &jobs).await;
    acme.hide("SECRET").await;
    acme.ada.delete(&format!("{ACME}/projects/{gone}")).await.expect(204);
    let reply = acme.ada.get(&format!("{TASKS}.csv")).await;
    let written = rows(reply.text());
    assert_eq!(
        written[0].join(","),
        "id,title,description,status,priority,due_at,project_id,project_code,assignee_id,assignee_email,position,\
         completed_at,created_at,updated_at,tags"
    );
    let expected = [
        &*full.id,
        "'=SUM(A1)",
        "More\nof it",
        "in_progress",
        "normal",
        "2026-03-02T01:00:10Z",
        &open,
        "OPEN",
        &his,
        "bob@example.com",
        "1",
        "",
        "2026-03-02T00:00:10Z",
        "2026-03-02T00:00:10Z",
        "later",
    ];
    assert_eq!(written[2], expected);
    assert_eq!(column(&reply, "title"), ["first", "'=SUM(A1)", "third", "hidden"]);
    assert_eq!(column(&bob.get(&format!("{TASKS}.csv")).await, "title"), ["first", "'=SUM(A1)", "third"]);
    for (query, titles) in [
        ("status=done".to_owned(), &["first"][..]),
        ("status=todo".to_owned(), &["third", "hidden"]),
        (format!("project_id={open}"), &["=SUM(A1)"]),
        (format!("project_id={gone}"), &[]),
    ] {
        let lines = objects(&acme.ada.get(&format!("{TASKS}.jsonl?{query}")).await);
        let told: Vec<_> = lines.iter().map(|task| task["title"].as_str().unwrap()).collect();
        assert_eq!(told, titles, "{query}");
    }
    let line = objects(&acme.ada.get(&format!("{TASKS}.jsonl?project_id={open}")).await).remove(0);
    assert_eq!(
        line,
        json!({
            "id": full.id, "title": "=SUM(A1)", "description": "More\nof it", "status": "in_progress",
            "priority": "normal", "due_at": "2026-03-02T01:00:10Z", "project_id": open, "project_code": "OPEN",
            "assignee_id": his, "assignee_email": "bob@example.com", "position": 1, "completed_at": null,
            "created_at": "2026-03-02T00:00:10Z", "updated_at": "2026-03-02T00:00:10Z", "tags": ["later"],
            "tag_ids": [tag],
        })
    );
    let refused = acme.ada.get(&format!("{TASKS}.csv?status=waiting")).await;
    refused.problem(422, "VALIDATION_FAILED");
    assert_eq!(refused.faults(), ["status NOT_A_CHOICE"]);
}

#[tokio::test]
async fn no_cell_is_a_formula_and_every_cell_can_be_read_back() {
    let acme = Acme::new().await;
    let notes = ["=1+1", "+1", "-1", "@SUM(1,1)", "\tx", "'quoted", "'=1+1", "plain", "it's", "\"=1\""];
    let entries: Vec<_> = (0..)
        .zip(notes)
        .map(|(hour, text)| Worked { notes: Some(text.to_owned()), ..acme.work(hour) })
        .collect();
    acme.vault.plant_entries("acme", &entries).await;
    let cells = column(&acme.ada.get(&format!("{ENTRIES}.csv")).await, "notes");
    assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t'])), "{cells:?}");
    let read_back = cells.iter().map(|cell| cell.strip_prefix('\'').unwrap_or(cell));
    assert_eq!(read_back.collect::<Vec<_>>(), notes);
    let lines = objects(&acme.ada.get(&format!("{ENTRIES}.jsonl")).await);
    let as_they_are: Vec<_> = lines.iter().map(|line| line["notes"].as_str().unwrap()).collect();
    assert_eq!(as_they_are, notes);
}

#[tokio::test]
async fn an_export_is_written_down_with_its_filters() {
    let acme = Acme::new().await;
    let from = "2026-03-01T00:00:00Z";
    file(&acme.ada.get(&format!("{ENTRIES}.csv?from={from}&member_id={}", acme.member)).await);
    file(&acme.ada.get(&format!("{ENTRIES}.jsonl")).await);
    file(&acme.ada.get(&format!("{TASKS}.csv")).await);
    file(&acme.ada.get(&format!("{TASKS}.jsonl?status=done&project_id={}", acme.member)).await);
    // What is refused is none.
    acme.ada.get(&format!("{ENTRIES}.csv?from={from}&to={from}")).await.problem(422, "VALIDATION_FAILED");
    let told = async |action: &str| {
        let page = acme.ada.get(&format!("{ACME}/audit-events?action={action}")).await.expect(200);
        let events = page["data"].as_array().unwrap().clone();
        events.into_iter().map(|event| event["details"]["after"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        told("time_entries.exported").await,
        [
            json!({ "format": "jsonl", "from": null, "to": null, "member_id": null, "project_id": null }),
            json!({ "format": "csv", "from": from, "to": null, "member_id": acme.member, "project_id": null }),
        ]
    );
    assert_eq!(
        told("tasks.exported").await,
        [
            json!({ "format": "jsonl", "project_id": acme.member, "status": "done" }),
            json!({ "format": "csv", "project_id": null, "status": null }),
        ]
    );
}

#[tokio::test]
async fn exports_of_an_organization_are_counted_together() {
    let server = Server::builder().env("INSULA_LIMIT_EXPORT", "4/h").start().await;
    let ada = server.client().register("ada@example.com").await;
    ada.found("acme").await;
    ada.found("other").await;
    let paths = [ENTRIES, TASKS].map(|path| ["csv", "jsonl"].map(|format| format!("{path}.{format}")));
    for path in paths.as_flattened() {
        let reply = ada.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.header("ratelimit").unwrap().contains("\"export\""), "{path}");
    }
    for path in paths.as_flattened() {
        ada.get(path).await.problem(429, "RATE_LIMITED");
    }
    file(&ada.get(&paths[0][0].replace("acme", "other")).await);
}

/// More than two batches, whose borders lie among entries that began together; changed while they are read.
#[tokio::test]
async fn what_changes_meanwhile_does_no_harm() {
    let acme = Acme::new().await;
    let entry = |number: i64| {
        let started = seconds_of_monday() + number / 7 * 60;
        Worked { started, ended: Some(started + 1), ..acme.work(0) }
    };
    let entries: Vec<_> = (0..2_500).map(entry).collect();
    acme.vault.plant_entries("acme", &entries).await;
    let path = format!("{ENTRIES}.csv");
    let ids: Vec<_> = entries.iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(column(&acme.ada.get(&path).await, "id"), ids);
    let change = async {
        for number in 0..40 {
            let change = format!(
                "UPDATE time_entries SET notes = 'change {number}' WHERE id IN
                 (SELECT id FROM time_entries ORDER BY started_at, id LIMIT 20 OFFSET {})",
                number * 60
            );
            acme.vault.execute(&change).await;
        }
    };
    let read = async {
        let mut replies = vec![];
        for _ in 0..4 {
            replies.push(acme.ada.get(&path).await);
        }
        replies
    };
    let ((), replies) = tokio::join!(change, read);
    for reply in replies {
        assert_eq!(column(&reply, "id"), ids);
    }
    let changed = column(&acme.ada.get(&path).await, "notes");
    assert_eq!(changed.iter().filter(|notes| notes.starts_with("change ")).count(), 800);
}
