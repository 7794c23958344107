//! `load [rolling] [overload] [idle] [login-flood]`: load tests of the real program on PostgreSQL and Redis. Without arguments,
//! all runs.
//!
//! It starts all processes itself and ends no others. `INSULA_LOAD_ROUNDS` is the number of restarts of each server (3). Each
//! result is printed with its limit. Exit code: 0 when all limits held, 1 when one did not, 64 when the arguments are not valid.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "complaints about arguments")]

mod login_flood;
mod cluster;
mod idle;
mod overload;
mod client;
mod rolling;

use std::{process::ExitCode, time::Instant};

use insula_tests::{console, setting};

const RUNS: [&str; 4] = ["rolling", "overload", "idle", "login-flood"];

#[tokio::main]
async fn main() -> ExitCode {
    let requested: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = requested.iter().find(|request| !RUNS.contains(&request.as_str())) {
        eprintln!("load: {unknown:?} is none of {}", RUNS.join(", "));
        return 64.into();
    }
    let rounds = match setting("INSULA_LOAD_ROUNDS").map(|text| text.parse::<u64>()) {
        None => rolling::ROUNDS,
        Some(Ok(rounds)) if rounds > 0 => rounds,
        Some(_) => {
            eprintln!("load: INSULA_LOAD_ROUNDS is a number from 1");
            return 64.into();
        }
    };
    let from = Instant::now();
    let mut failures = Vec::new();
    for run in
        RUNS.iter().filter(|run| requested.is_empty() || requested.iter().any(|request| request == *run))
    {
        let outcome = match *run {
            "rolling" => rolling::run(rounds).await,
            "overload" => overload::run().await,
            "idle" => idle::run().await,
            _ => login_flood::run().await,
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
