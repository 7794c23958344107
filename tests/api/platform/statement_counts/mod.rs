//! The number of database statements of every operation, compared with `counts.txt`. `BEGIN` and `COMMIT` count, too: each
//! statement is one round trip.
//!
//! Reads are counted with a warm cache, and with a sealed audit log.
//!
//! After a change that is meant, `make statement-counts` writes the file again.

mod reads;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use insula_tests::{Builder, Operation, OtlpReceiver, OtlpTransport, Server, TestTrace, eventually, setting};

use crate::audit::audit_coverage::{accounts, organizations, platform, walk::Walk};

/// The statements of each step, by its name: `createTask`, `updateMember.suspended`.
type Statements = BTreeMap<String, Vec<String>>;

/// How far a count may be from that of the file, as a divisor of it: 10 %.
const TOLERANCE: usize = 10;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("api/platform/statement_counts/counts.txt")
}

/// The column of the file for this database.
fn column() -> usize {
    usize::from(setting("INSULA_TEST_DATABASE").is_some_and(|database| database == "postgres"))
}

/// The counts of the file by step: SQLite, PostgreSQL.
fn committed() -> BTreeMap<String, [usize; 2]> {
    let text = fs::read_to_string(file()).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let step = words.next().unwrap().to_owned();
            let counts = [(); 2].map(|()| words.next().unwrap().parse().unwrap());
            (step, counts)
        })
        .collect()
}

fn write(measured: &Statements) {
    let mut rows = committed();
    rows.retain(|step, _| measured.contains_key(step));
    for (step, statements) in measured {
        rows.entry(step.clone()).or_default()[column()] = statements.len();
    }
    let mut text = String::from(
        "# Database statements of each operation, with BEGIN and COMMIT: SQLite, PostgreSQL. make statement-counts writes this file.\n",
    );
    for (step, [sqlite, postgres]) in rows {
        writeln!(text, "{step:<40} {sqlite:>3} {postgres:>3}").unwrap();
    }
    fs::write(file(), text).unwrap();
}

/// A server that exports the traces of the test, and no others. What it caches does not expire.
fn traced(receiver: &OtlpReceiver) -> Builder {
    let builder = Server::builder().settings(receiver.settings());
    builder.env("OTEL_TRACES_SAMPLER", "parentbased_always_off").env("INSULA_SESSION_CACHE_TTL", "3600")
}

/// The statements of a request, as soon as the receiver has them.
async fn statements(receiver: &OtlpReceiver, step: &str, trace: &TestTrace) -> Vec<String> {
    eventually(&format!("the span of {step}"), async || trace.statements(receiver).is_some()).await;
    trace.statements(receiver).unwrap()
}

#[tokio::test]
async fn no_operation_sends_more_statements_than_before() {
    let receiver = OtlpReceiver::start(OtlpTransport::Grpc).await;
    let mut measured = Statements::new();
    let walks = [
        Box::pin(accounts::walk(traced(&receiver))).await,
        Box::pin(organizations::walk(traced(&receiver))).await,
        Box::pin(platform::walk(traced(&receiver))).await,
    ];
    for (step, trace) in walks.iter().flat_map(Walk::traces) {
        // What is tried or repeated is not the operation itself.
        if !step.ends_with(".tried") && !step.ends_with(".again") {
            measured.insert(step.to_owned(), statements(&receiver, step, trace).await);
        }
    }
    let document = walks[0].document();
    let (reads, _server) = Box::pin(reads::walk(traced(&receiver))).await;
    for (step, trace) in reads {
        measured.insert(step.clone(), statements(&receiver, &step, &trace).await);
    }
    for operation in Operation::all(document) {
        let of_operation = |step: &String| step.split('.').next() == Some(&operation.id);
        assert!(measured.keys().any(of_operation), "nothing calls {}", operation.id);
    }
    if setting("INSULA_WRITE_STATEMENT_COUNTS").is_some() {
        return write(&measured);
    }

    let committed = committed();
    let unknown: Vec<_> = committed.keys().filter(|step| !measured.contains_key(*step)).collect();
    assert!(unknown.is_empty(), "the file has {unknown:?}, which nothing calls: run make statement-counts");
    let mut faults = Vec::new();
    for (step, statements) in &measured {
        let Some(expected) = committed.get(step).map(|counts| counts[column()]) else {
            faults.push(format!("{step} is not in the file"));
            continue;
        };
        if statements.len().abs_diff(expected) > expected / TOLERANCE {
            faults.push(format!("{step}: {} instead of {expected}: {statements:?}", statements.len()));
        }
    }
    assert!(faults.is_empty(), "run make statement-counts if this is meant:\n{}", faults.join("\n"));
}
