//! `chaos [random] [redis-absent] [backlog] [fairness]`: breaks every process and counts what is lost. Without arguments, all
//! runs.
//!
//! It starts all processes itself and ends no others. A seed repeats a `random` run: `INSULA_CHAOS_SEED` (without it, five
//! seeds), `INSULA_CHAOS_FAULTS` (40), `INSULA_TEST_DATABASE` (`postgres` or `sqlite`; without it, both).
//! Exit code: 0 when nothing was lost, 1 when something was, 64 when the arguments are not valid.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "complaints about arguments")]

mod client;
mod audit_logs;
mod fault;
mod acknowledged;
mod load;
mod verify;
mod random_faults;
mod scenarios;

use std::{process::ExitCode, time::Instant};

use insula_tests::{DatabaseKind, console, setting};

const RUNS: [&str; 4] = ["random", "redis-absent", "backlog", "fairness"];

#[tokio::main]
async fn main() -> ExitCode {
    let Options { runs, databases, seeds, faults } = match Options::read() {
        Ok(options) => options,
        Err(sentence) => {
            eprintln!("chaos: {sentence}");
            return 64.into();
        }
    };
    let from = Instant::now();
    let mut failures = Vec::new();
    for &kind in &databases {
        for run in &runs {
            let number = if run == "random" { seeds.len() } else { 1 };
            for &seed in &seeds[..number] {
                let outcome = match &**run {
                    "random" => random_faults::run(kind, seed, faults).await,
                    "redis-absent" => scenarios::redis_absent(kind).await,
                    "backlog" => scenarios::backlog(kind).await,
                    _ => scenarios::fairness(kind).await,
                };
                for fault in outcome.unwrap_or_else(|reason| vec![reason]) {
                    console::line(&format!("  FAILED: {fault}"));
                    let seed = if run == "random" { format!(", seed {seed}") } else { String::new() };
                    failures.push(format!("{run} on {}{seed}: {fault}", name(kind)));
                }
            }
        }
    }
    console::title(&format!("{} failures in {} s", failures.len(), from.elapsed().as_secs()));
    failures.iter().for_each(|failure| console::line(&format!("  {failure}")));
    u8::from(!failures.is_empty()).into()
}

/// What the runs use. With PostgreSQL, API and worker are separate processes.
fn name(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Postgres => "PostgreSQL and Redis",
        DatabaseKind::Sqlite => "SQLite without Redis",
    }
}

struct Options {
    runs: Vec<String>,
    databases: Vec<DatabaseKind>,
    /// One random run each.
    seeds: Vec<u64>,
    /// Faults of each random run.
    faults: u64,
}

impl Options {
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
        let seeds = number("INSULA_CHAOS_SEED")?.map_or((1..=5).collect(), |seed| vec![seed]);
        let faults = number("INSULA_CHAOS_FAULTS")?.unwrap_or(40);
        let databases = match setting("INSULA_TEST_DATABASE").as_deref() {
            None | Some("") => vec![DatabaseKind::Postgres, DatabaseKind::Sqlite],
            Some("postgres") => vec![DatabaseKind::Postgres],
            Some("sqlite") => vec![DatabaseKind::Sqlite],
            Some(other) => return Err(format!("INSULA_TEST_DATABASE is postgres or sqlite, not {other}")),
        };
        Ok(Self { runs, databases, seeds, faults })
    }
}
