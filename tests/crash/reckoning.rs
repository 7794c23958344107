//! Compares what was acknowledged with the database and with the mails that were delivered.

use std::collections::HashMap;

use insula_tests::{TestCluster, TestDatabase, console};

use crate::{
    caller::Caller,
    chains,
    ledger::{Deed, Pages},
};

/// How many e-mails may be sent twice per kill, on average over a storm. With one e-mail at a time, it would be one. A worker sends
/// many at a time and records them together (docs/decisions.md, one batch writer). The highest measured value is 1.2.
const REPEATED: u64 = 2;

/// What the database holds, each by the name that the client gave it.
struct Books {
    rows: HashMap<Deed, HashMap<String, u64>>,
    events: HashMap<Deed, HashMap<String, u64>>,
    mails: HashMap<Deed, HashMap<String, u64>>,
    /// Every job that sends a mail: its id, and its state.
    jobs: HashMap<String, String>,
}

/// What is wrong, each in a sentence; none where nothing was lost. `kills`: how many there were that may make mails come
/// twice.
pub(crate) async fn reckon(
    cluster: &TestCluster,
    founder: &Caller,
    pages: &Pages,
    kills: u64,
) -> Vec<String> {
    let books = Books::open(&cluster.database().await).await;
    let (delivered, cuts) = cluster.fake_smtp.lock().await.count();
    let mut faults: Vec<String> = pages.improper.iter().take(10).cloned().collect();
    if pages.improper.len() > faults.len() {
        faults.push(format!("{} improper answers in all", pages.improper.len()));
    }
    let mut rows = Vec::new();
    for deed in [Deed::Register, Deed::Reset, Deed::Found, Deed::Plan] {
        let names = pages.acknowledged.get(&deed).cloned().unwrap_or_default();
        let mut row = vec![deed.name().to_owned(), names.len().to_string()];
        for (what, book) in [("rows", &books.rows), ("events", &books.events), ("mails", &books.mails)] {
            let Some(book) = book.get(&deed) else {
                row.push("-".to_owned());
                continue;
            };
            let found = names.iter().filter(|name| book.get(*name) == Some(&1)).count();
            row.push(found.to_string());
            let wrong: Vec<_> = names.iter().filter(|name| book.get(*name) != Some(&1)).take(5).collect();
            if !wrong.is_empty() {
                let number = names.len() - found;
                faults.push(format!(
                    "{}: not exactly one of {what} for {number}, such as {wrong:?}",
                    deed.name()
                ));
            }
        }
        rows.push(row);
    }
    // Also of those who were never told: what is there is whole.
    if let (Some(people), Some(told)) = (books.rows.get(&Deed::Register), books.events.get(&Deed::Register))
        && people != told
    {
        faults.push(format!("{} people, but {} events of registrations", people.len(), told.len()));
    }
    let lost: Vec<_> = books.jobs.iter().filter(|(job, _)| !delivered.contains_key(*job)).collect();
    if let Some((job, state)) = lost.first() {
        faults.push(format!("{} mails lost, such as that of the job {job}, which is {state}", lost.len()));
    }
    let unasked = delivered.keys().filter(|job| !books.jobs.contains_key(*job)).count();
    if unasked > 0 {
        faults.push(format!("{unasked} mails that no job asked for"));
    }
    let duplicates: u64 = delivered.values().map(|times| times - 1).sum();
    if duplicates > kills * REPEATED + cuts {
        faults.push(format!("{duplicates} duplicates of mails, but only {kills} kills and {cuts} cuts"));
    }
    console::table(&["acknowledged", "", "rows", "events", "jobs of mails"], &rows);
    console::line(&format!(
        "  mails: {} asked for, {} delivered, {} lost, {duplicates} duplicates ({kills} kills, {cuts} cuts after acceptance)",
        books.jobs.len(),
        delivered.len(),
        lost.len(),
    ));
    let statuses = pages.statuses.iter().map(|(status, times)| match status {
        0 => format!("cut x {times}"),
        status => format!("{status} x {times}"),
    });
    console::line(&format!("  answers: {}", statuses.collect::<Vec<_>>().join(", ")));
    faults.extend(chains::audit(&cluster.database().await, founder).await);
    faults.extend(cluster.unexpected_exits().await);
    faults
}

impl Books {
    async fn open(database: &TestDatabase) -> Self {
        let event = |action: &str, table: &str, name: &str| {
            format!(
                "SELECT t.{name} FROM audit_events e JOIN {table} t ON {} = replace(e.resource_id, '-', '') WHERE e.action = '{action}'",
                database.hex("t.id")
            )
        };
        // The payload is {"token":"…"}.
        let mail = |kind: &str| {
            format!(
                "SELECT t.email FROM outbox o JOIN one_time_tokens t ON {} = replace(substr(o.payload, 11, 36), '-', '') WHERE o.kind = '{kind}'",
                database.hex("t.id")
            )
        };
        let rows = HashMap::from([
            (Deed::Register, counted(database, "SELECT email FROM users").await),
            (Deed::Found, counted(database, "SELECT slug FROM organizations").await),
            (Deed::Plan, counted(database, "SELECT code FROM projects").await),
        ]);
        let events = HashMap::from([
            (Deed::Register, counted(database, &event("user.registered", "users", "email")).await),
            (Deed::Found, counted(database, &event("organization.created", "organizations", "slug")).await),
            (Deed::Plan, counted(database, &event("project.created", "projects", "code")).await),
        ]);
        let mails = HashMap::from([
            (Deed::Register, counted(database, &mail("send_verification")).await),
            (Deed::Reset, counted(database, &mail("send_password_reset")).await),
        ]);
        let jobs = format!("SELECT {} || ' ' || state FROM outbox WHERE queue = 'mail'", database.hex("id"));
        let jobs = database.texts(&jobs).await;
        let jobs = jobs.iter().filter_map(|job| job.split_once(' '));
        let jobs = jobs.map(|(id, state)| (id.to_owned(), state.to_owned())).collect();
        Self { rows, events, mails, jobs }
    }
}

async fn counted(database: &TestDatabase, sql: &str) -> HashMap<String, u64> {
    let mut times = HashMap::new();
    database.texts(sql).await.into_iter().for_each(|name| *times.entry(name).or_default() += 1);
    times
}
