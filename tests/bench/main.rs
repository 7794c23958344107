//! `bench [--quick] [--update-docs] [requests] [mails] [latency] [telemetry]`: requests per second, e-mails per second, the time
//! until a job starts, and the cost of telemetry. Without a name, requests. `--quick`: requests with less data and shorter
//! rounds. `--update-docs` writes the tables and plots of the requests into `docs/performance.md` and `docs/performance/`.
//!
//! It starts all processes itself and ends no others. All of them share the machine with what is measured. Exit code: 0 when
//! everything was measured, 1 when something could not be, 64 when the arguments are not valid.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "complaints about arguments and failures")]

mod latency;
mod mails;
mod requests;
mod setup;
mod telemetry;
mod wrk;

use std::{process::ExitCode, time::Instant};

use insula_tests::{TestRng, console};

use self::requests::Scale;

const FLAGS: [&str; 2] = ["--quick", "--update-docs"];

const RUNS: [&str; 4] = ["requests", "mails", "latency", "telemetry"];

#[tokio::main]
async fn main() -> ExitCode {
    let (flags, mut requested): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| FLAGS.contains(&argument.as_str()));
    let has_flag = |flag: usize| flags.iter().any(|argument| argument == FLAGS[flag]);
    let scale = if has_flag(0) { Scale::QUICK } else { Scale::FULL };
    let updates_docs = has_flag(1);
    if requested.is_empty() {
        requested.push(RUNS[0].to_owned());
    }
    if let Some(unknown) = requested.iter().find(|request| !RUNS.contains(&request.as_str())) {
        eprintln!("bench: {unknown:?} is none of {}", RUNS.join(", "));
        return 64.into();
    }
    let from = Instant::now();
    console::line(&format!("{}, {}", machine(), load()));
    let mut rng = TestRng::new(1);
    for run in RUNS.iter().filter(|run| requested.iter().any(|request| request == *run)) {
        let measured = match *run {
            "requests" => requests::measure(&mut rng, scale, updates_docs).await,
            "mails" => mails::measure(&mut rng).await,
            "telemetry" => telemetry::measure(&mut rng, if has_flag(0) { 1 } else { 4 }).await,
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
