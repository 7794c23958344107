//! What hashing passwords costs: how many a second, and what many at once add to the memory.
//! `cargo bench -p insula-core --bench passwords`

#![expect(clippy::print_stdout, reason = "the figures")]

use std::time::Instant;

use insula_core::{base::crypto::Secret, identity::credentials::Passwords};
use tokio::task::JoinSet;

/// Hashes of the flood, and how many tasks ask for them at once.
const HASHES: usize = 200;
const TASKS: usize = 64;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let passwords = Passwords::new()?;
    let before = resident()?;
    passwords.hash(secret("the right one")).await?;
    let one = resident()?;

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

/// A rejected call is repeated, as a client would do.
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
