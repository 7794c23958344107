//! Compares what was acknowledged with the database and with the e-mails that were delivered.

use std::collections::HashMap;

use insula_tests::{TestCluster, TestDatabase, console};

use crate::{
    acknowledged::{Records, RequestKind},
    audit_logs,
    client::ChaosClient,
};

/// How many e-mails may be sent twice per kill, on average over a run. With one e-mail at a time, it would be one. A worker sends
/// many at a time and records them together (docs/decisions.md, one batch writer). The highest measured value is 1.2.
const DUPLICATES_PER_KILL: u64 = 2;

/// Rows, events and e-mail jobs in the database, by the name that the client gave.
struct StoredState {
    rows: HashMap<RequestKind, HashMap<String, u64>>,
    events: HashMap<RequestKind, HashMap<String, u64>>,
    mails: HashMap<RequestKind, HashMap<String, u64>>,
    /// Every job that sends an e-mail: its id, and its state.
    jobs: HashMap<String, String>,
}

/// Returns a sentence for each fault. `kills`: the number of kills that may duplicate e-mails.
pub(crate) async fn verify(
    cluster: &TestCluster,
    owner: &ChaosClient,
    records: &Records,
    kills: u64,
) -> Vec<String> {
    let stored = StoredState::open(&cluster.database().await).await;
    let (delivered, cuts) = cluster.fake_smtp.lock().await.count();
    let mut faults: Vec<String> = records.unexpected.iter().take(10).cloned().collect();
    if records.unexpected.len() > faults.len() {
        faults.push(format!("{} unexpected answers in all", records.unexpected.len()));
    }
    let mut rows = Vec::new();
    for kind in [
        RequestKind::Register,
        RequestKind::ResetPassword,
        RequestKind::CreateOrganization,
        RequestKind::CreateProject,
    ] {
        let names = records.acknowledged.get(&kind).cloned().unwrap_or_default();
        let mut row = vec![kind.name().to_owned(), names.len().to_string()];
        for (what, counts) in [("rows", &stored.rows), ("events", &stored.events), ("mails", &stored.mails)] {
            let Some(counts) = counts.get(&kind) else {
                row.push("-".to_owned());
                continue;
            };
            let matching = names.iter().filter(|name| counts.get(*name) == Some(&1)).count();
            row.push(matching.to_string());
            let wrong: Vec<_> = names.iter().filter(|name| counts.get(*name) != Some(&1)).take(5).collect();
            if !wrong.is_empty() {
                let number = names.len() - matching;
                faults.push(format!(
                    "{}: not exactly one of {what} for {number}, such as {wrong:?}",
                    kind.name()
                ));
            }
        }
        rows.push(row);
    }
    // This includes registrations without an answer: each has its event.
    if let (Some(users), Some(registered)) =
        (stored.rows.get(&RequestKind::Register), stored.events.get(&RequestKind::Register))
        && users != registered
    {
        faults.push(format!("{} users, but {} events of registrations", users.len(), registered.len()));
    }
    let lost: Vec<_> = stored.jobs.iter().filter(|(job, _)| !delivered.contains_key(*job)).collect();
    if let Some((job, state)) = lost.first() {
        faults.push(format!("{} mails lost, such as that of the job {job}, which is {state}", lost.len()));
    }
    let unasked = delivered.keys().filter(|job| !stored.jobs.contains_key(*job)).count();
    if unasked > 0 {
        faults.push(format!("{unasked} mails that no job asked for"));
    }
    let duplicates: u64 = delivered.values().map(|times| times - 1).sum();
    if duplicates > kills * DUPLICATES_PER_KILL + cuts {
        faults.push(format!("{duplicates} duplicates of mails, but only {kills} kills and {cuts} cuts"));
    }
    console::table(&["acknowledged", "", "rows", "events", "jobs of mails"], &rows);
    console::line(&format!(
        "  mails: {} asked for, {} delivered, {} lost, {duplicates} duplicates ({kills} kills, {cuts} cuts after acceptance)",
        stored.jobs.len(),
        delivered.len(),
        lost.len(),
    ));
    let statuses = records.statuses.iter().map(|(status, times)| match status {
        0 => format!("cut x {times}"),
        status => format!("{status} x {times}"),
    });
    console::line(&format!("  answers: {}", statuses.collect::<Vec<_>>().join(", ")));
    faults.extend(audit_logs::audit(&cluster.database().await, owner).await);
    faults.extend(cluster.unexpected_exits().await);
    faults
}

impl StoredState {
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
            (RequestKind::Register, counted(database, "SELECT email FROM users").await),
            (RequestKind::CreateOrganization, counted(database, "SELECT slug FROM organizations").await),
            (RequestKind::CreateProject, counted(database, "SELECT code FROM projects").await),
        ]);
        let events = HashMap::from([
            (RequestKind::Register, counted(database, &event("user.registered", "users", "email")).await),
            (
                RequestKind::CreateOrganization,
                counted(database, &event("organization.created", "organizations", "slug")).await,
            ),
            (
                RequestKind::CreateProject,
                counted(database, &event("project.created", "projects", "code")).await,
            ),
        ]);
        let mails = HashMap::from([
            (RequestKind::Register, counted(database, &mail("send_verification")).await),
            (RequestKind::ResetPassword, counted(database, &mail("send_password_reset")).await),
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
