//! `scale [memory] [ratios]`: checks what must not grow with the data of an organization. Without arguments, all runs.
//!
//! It uses SQLite, or PostgreSQL with `INSULA_TEST_DATABASE=postgres`. `INSULA_SCALE_ROWS` is the number of time entries
//! (1,000,000). Each result is printed with its limit. Exit code: 0 when all limits held, 1 when one did not, 64 when the
//! arguments are not valid.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "complaints about arguments")]

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
            unknown => vec![format!("there is no run {unknown}")],
        };
        for fault in faults {
            console::line(&format!("  FAILED: {fault}"));
            failures.push(fault);
        }
    }
    console::title(&format!("{} failures in {} s", failures.len(), from.elapsed().as_secs()));
    u8::from(!failures.is_empty()).into()
}
