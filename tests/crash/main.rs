//! `crash [storm] [redis-absent] [backlog] [fairness]`: breaks everything and counts what is left. Without words, all.
//!
//! Starts everything itself, and ends only that. A storm is repeated by its seed: `INSULA_CRASH_SEED` (without it, five
//! seeds), `INSULA_CRASH_FAULTS` (40), `INSULA_TEST_DATABASE` (`postgres` or `sqlite`; without it, both).
//! Ends with 0 when nothing was lost, 1 when something was, 64 when it is not understood.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "what a program says that was not understood")]

mod caller;
mod chains;
mod fault;
mod ledger;
mod load;
mod reckoning;
mod storm;
mod trials;

use std::{process::ExitCode, time::Instant};

use insula_tests::{DatabaseKind, console, setting};

const RUNS: [&str; 4] = ["storm", "redis-absent", "backlog", "fairness"];

#[tokio::main]
async fn main() -> ExitCode {
    let Wishes { runs, databases, seeds, faults } = match Wishes::read() {
        Ok(wishes) => wishes,
        Err(sentence) => {
            eprintln!("crash: {sentence}");
            return 64.into();
        }
    };
    let from = Instant::now();
    let mut failures = Vec::new();
    for &kind in &databases {
        for run in &runs {
            let number = if run == "storm" { seeds.len() } else { 1 };
            for &seed in &seeds[..number] {
                let outcome = match &**run {
                    "storm" => storm::run(kind, seed, faults).await,
                    "redis-absent" => trials::redis_absent(kind).await,
                    "backlog" => trials::backlog(kind).await,
                    _ => trials::fairness(kind).await,
                };
                for fault in outcome.unwrap_or_else(|reason| vec![reason]) {
                    console::line(&format!("  FAILED: {fault}"));
                    let seed = if run == "storm" { format!(", seed {seed}") } else { String::new() };
                    failures.push(format!("{run} on {}{seed}: {fault}", name(kind)));
                }
            }
        }
    }
    console::title(&format!("{} failures in {} s", failures.len(), from.elapsed().as_secs()));
    failures.iter().for_each(|failure| console::line(&format!("  {failure}")));
    u8::from(!failures.is_empty()).into()
}

/// With what it is tried: PostgreSQL with Redis, and processes of their own for api and worker.
fn name(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Postgres => "PostgreSQL and Redis",
        DatabaseKind::Sqlite => "SQLite without Redis",
    }
}

struct Wishes {
    runs: Vec<String>,
    databases: Vec<DatabaseKind>,
    /// One storm each.
    seeds: Vec<u64>,
    /// Of each storm.
    faults: u64,
}

impl Wishes {
    /// From arguments and environment; the error is a sentence for the user.
    fn read() -> Result<Self, String> {
        let mut runs: Vec<String> = std::env::args().skip(1).collect();
        if let Some(unknown) = runs.iter().find(|run| !RUNS.contains(&run.as_str())) {
            return Err(format!("{unknown:?} is none of {}", RUNS.join(", ")));
        }
        if runs.is_empty() {
            runs = RUNS.map(str::to_owned).to_vec();
        }
        let number = |name: &str| match setting(name) {
            Some(text) => {
                text.parse::<u64>().map(Some).map_err(|_| format!("{name} is a number, not {text:?}"))
            }
            None => Ok(None),
        };
        let seeds = number("INSULA_CRASH_SEED")?.map_or((1..=5).collect(), |seed| vec![seed]);
        let faults = number("INSULA_CRASH_FAULTS")?.unwrap_or(40);
        let databases = match setting("INSULA_TEST_DATABASE").as_deref() {
            None | Some("") => vec![DatabaseKind::Postgres, DatabaseKind::Sqlite],
            Some("postgres") => vec![DatabaseKind::Postgres],
            Some("sqlite") => vec![DatabaseKind::Sqlite],
            Some(other) => return Err(format!("INSULA_TEST_DATABASE is postgres or sqlite, not {other}")),
        };
        Ok(Self { runs, databases, seeds, faults })
    }
}
