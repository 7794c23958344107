//! `bench [mails] [latency]`: how many mails a second, and how soon a job is begun. Without words, both.
//!
//! Starts everything itself, the servers and the mail server too, and ends only that: all of it shares the machine with
//! what is measured. Ends with 0 when everything was measured, whatever came of it, 1 when something could not be, 64 when
//! it is not understood.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "what a program says that was not understood or cannot go on")]

mod latency;
mod mails;
mod stand;

use std::{process::ExitCode, time::Instant};

use insula_tests::{TestRng, console};

const RUNS: [&str; 2] = ["mails", "latency"];

#[tokio::main]
async fn main() -> ExitCode {
    let wishes: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wishes.iter().find(|wish| !RUNS.contains(&wish.as_str())) {
        eprintln!("bench: {unknown:?} is none of {}", RUNS.join(", "));
        return 64.into();
    }
    let from = Instant::now();
    console::line(&format!("{}, {}", machine(), load()));
    let mut rng = TestRng::new(1);
    for run in RUNS.iter().filter(|run| wishes.is_empty() || wishes.iter().any(|wish| wish == *run)) {
        let measured = match *run {
            "mails" => mails::measure(&mut rng).await,
            _ => latency::measure(&mut rng).await,
        };
        if let Err(reason) = measured {
            eprintln!("bench: {run} could not be measured: {reason}");
            return ExitCode::FAILURE;
        }
    }
    console::line(&format!("\n{} s, {}", from.elapsed().as_secs(), load()));
    ExitCode::SUCCESS
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) { "a debug build, which says nothing" } else { "a release build" };
    format!("{cores} cores, {build}")
}

/// How busy the machine is, also with what is not ours.
fn load() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load of the last minute {}", averages.split(' ').next().unwrap_or_default())
}
