//! What a log-in costs: whether it takes as long for nobody as for somebody, and what many at once add to the memory.
//! `cargo bench -p insula-core --bench passwords`

#![expect(clippy::print_stdout, reason = "the figures")]

use std::time::{Duration, Instant};

use insula_core::{credentials::Passwords, secret::Secret};
use tokio::task::JoinSet;

/// Verifications of each kind.
const ROUNDS: usize = 200;
/// Hashes of the flood, and how many tasks ask for them at once.
const HASHES: usize = 200;
const TASKS: usize = 64;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let passwords = Passwords::new()?;
    let before = resident()?;
    let hash = passwords.hash(secret("the right one")).await?;
    let one = resident()?;

    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    // In turns, so that what disturbs the one disturbs the other.
    for _ in 0..ROUNDS {
        known.push(timed(&passwords, Some(hash.clone())).await?);
        unknown.push(timed(&passwords, None).await?);
    }
    let (known, unknown) = (median(known), median(unknown));
    println!("wrong password: {known:?}, unknown user: {unknown:?} (medians of {ROUNDS})");
    println!("unknown / known: {:.3}", unknown.as_secs_f64() / known.as_secs_f64());

    let started = Instant::now();
    flood(&passwords).await?;
    let rate = f64::from(u32::try_from(HASHES)?) / started.elapsed().as_secs_f64();
    println!("{HASHES} hashes asked for by {TASKS} tasks: {rate:.0} per second");
    println!("resident: {before} KiB before, {one} KiB after one hash, {} KiB after all", resident()?);
    Ok(())
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

async fn timed(passwords: &Passwords, hash: Option<String>) -> Outcome<Duration> {
    let started = Instant::now();
    passwords.verify(secret("the wrong one"), hash).await?;
    Ok(started.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Whoever is sent away asks again, as a client would.
async fn flood(passwords: &Passwords) -> Outcome {
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let passwords = passwords.clone();
        tasks.spawn(async move {
            for _ in (number..HASHES).step_by(TASKS) {
                while passwords.hash(secret("a flood")).await.is_err() {}
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task?;
    }
    Ok(())
}

/// Memory of this process, in KiB.
fn resident() -> Outcome<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
