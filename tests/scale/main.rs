//! `scale [memory] [ratios]`: what grows with the data of an organization, and what must not. Without words, all.
//!
//! On SQLite, or on PostgreSQL where `INSULA_TEST_DATABASE=postgres` says so. `INSULA_SCALE_ROWS` says how many time entries
//! there are (1,000,000). Says each figure beside what it has to be. Ends with 0 when all of it held, 1 when something did
//! not, 64 when it is not understood.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "what a program says that was not understood")]

mod memory;
mod ratios;

use std::{process::ExitCode, time::Instant};

use insula_tests::{console, setting};

const RUNS: [&str; 2] = ["memory", "ratios"];

#[tokio::main]
async fn main() -> ExitCode {
    let wishes: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wishes.iter().find(|wish| !RUNS.contains(&wish.as_str())) {
        eprintln!("scale: {unknown:?} is none of {}", RUNS.join(", "));
        return 64.into();
    }
    let rows = match setting("INSULA_SCALE_ROWS").map(|text| text.parse::<usize>()) {
        None => 1_000_000,
        Some(Ok(rows)) if rows > 0 => rows,
        Some(_) => {
            eprintln!("scale: INSULA_SCALE_ROWS is a number from 1");
            return 64.into();
        }
    };
    let from = Instant::now();
    let mut failures = Vec::new();
    for run in RUNS.iter().filter(|run| wishes.is_empty() || wishes.iter().any(|wish| wish == *run)) {
        let faults = match *run {
            "memory" => memory::run(rows).await,
            "ratios" => ratios::run(rows).await,
            unknown => vec![format!("nobody runs {unknown}")],
        };
        for fault in faults {
            console::line(&format!("  FAILED: {fault}"));
            failures.push(fault);
        }
    }
    console::title(&format!("{} failures in {} s", failures.len(), from.elapsed().as_secs()));
    u8::from(!failures.is_empty()).into()
}
