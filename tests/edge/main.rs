//! `edge [rolling] [overload] [idle] [flood]`: what the edge has to bear, against the real program on PostgreSQL and Redis. Without words, all.
//!
//! Starts everything itself, and ends only that. `INSULA_EDGE_ROUNDS` says how often each server is restarted (3). Says
//! each figure beside what it has to be. Ends with 0 when all of it held, 1 when something did not, 64 when it is not
//! understood.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "what a program says that was not understood")]

mod flood;
mod house;
mod idle;
mod overload;
mod person;
mod rolling;

use std::{process::ExitCode, time::Instant};

use insula_tests::{console, setting};

const RUNS: [&str; 4] = ["rolling", "overload", "idle", "flood"];

#[tokio::main]
async fn main() -> ExitCode {
    let wishes: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wishes.iter().find(|wish| !RUNS.contains(&wish.as_str())) {
        eprintln!("edge: {unknown:?} is none of {}", RUNS.join(", "));
        return 64.into();
    }
    let rounds = match setting("INSULA_EDGE_ROUNDS").map(|text| text.parse::<u64>()) {
        None => rolling::ROUNDS,
        Some(Ok(rounds)) if rounds > 0 => rounds,
        Some(_) => {
            eprintln!("edge: INSULA_EDGE_ROUNDS is a number from 1");
            return 64.into();
        }
    };
    let from = Instant::now();
    let mut failures = Vec::new();
    for run in RUNS.iter().filter(|run| wishes.is_empty() || wishes.iter().any(|wish| wish == *run)) {
        let outcome = match *run {
            "rolling" => rolling::run(rounds).await,
            "overload" => overload::run().await,
            "idle" => idle::run().await,
            _ => flood::run().await,
        };
        for fault in outcome.unwrap_or_else(|reason| vec![reason]) {
            console::line(&format!("  FAILED: {fault}"));
            failures.push(format!("{run}: {fault}"));
        }
    }
    console::title(&format!("{} failures in {} s", failures.len(), from.elapsed().as_secs()));
    failures.iter().for_each(|failure| console::line(&format!("  {failure}")));
    u8::from(!failures.is_empty()).into()
}
