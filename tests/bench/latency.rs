//! How long a job waits for a worker that has little to do: from the start of the transaction that enqueued it, until a worker has claimed it, and until the mail server has its mail. Each of these is more than what it stands for:
//! the wait from the commit to the start.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, ParseError};
use insula_tests::{
    ClusterConfig, DatabaseKind, TestRng, console,
    stats::{milliseconds, quantile},
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::setup::{self, OWNER, Setup};

/// Of one round, one in ten milliseconds.
const JOBS: usize = 800;
const GAP: Duration = Duration::from_millis(10);

/// Rounds of each setup.
const ROUNDS: usize = 2;

/// How long the last job of a round may wait.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a worker says of each job that it begins.
const LOG: &str = "warn,insula_worker::job_handler=debug";

/// Measurements of one setup.
#[derive(Default)]
struct Latencies {
    /// How long the load took.
    loaded: Duration,
    begun: Vec<Duration>,
    accepted: Vec<Duration>,
}

/// Measures the setups in turns, in random order.
pub(crate) async fn measure(rng: &mut TestRng) -> Result<(), String> {
    console::title(&format!(
        "{} jobs a second: from the beginning of the transaction",
        1000 / GAP.as_millis()
    ));
    let mut setups = Vec::new();
    for (name, config) in [
        ("PostgreSQL, worker beside it, Redis", setup::with_redis()),
        ("PostgreSQL, worker beside it", setup::without_redis()),
        ("PostgreSQL, worker inside", setup::embedded(DatabaseKind::Postgres)),
        ("SQLite, worker inside", setup::embedded(DatabaseKind::Sqlite)),
    ] {
        console::progress(&format!("starting {name}"));
        let setup = Setup::start(name, ClusterConfig { log: LOG, ..config }).await?;
        setups.push((Arc::new(setup), Latencies::default()));
    }
    for number in 1..=ROUNDS {
        let mut order: Vec<_> = setups.iter_mut().collect();
        rng.shuffle(&mut order);
        for (setup, latencies) in order {
            console::progress(&format!("{}, round {number} of {ROUNDS}", setup.name));
            latencies.loaded += load(setup, number, rng.clone()).await?;
        }
    }
    let mut rows = Vec::new();
    for (setup, latencies) in &mut setups {
        collect_latencies(setup, latencies).await?;
        rows.push(row(setup.name, latencies));
    }
    let head = ["ms", "jobs/s", "begun p50", "p99", "longest", "accepted p50", "p99", "longest"];
    console::table(&head, &rows);
    Ok(())
}

/// Requests a password reset for as many users as there are jobs: the cheapest request that sends an e-mail.
async fn load(setup: &Arc<Setup>, number: usize, mut rng: TestRng) -> Result<Duration, String> {
    let name = format!("round{number}-");
    setup.database.insert_users(OWNER, &name, JOBS).await;
    let (mut asked, from) = (JoinSet::new(), Instant::now());
    let mut next = tokio::time::Instant::now();
    for number in 1..=JOBS {
        tokio::time::sleep_until(next).await;
        // No request waits for the answer to another.
        next += 2 * GAP * u32::try_from(rng.below(1000)).unwrap_or_default() / 1000;
        let (setup, body) = (Arc::clone(setup), json!({ "email": format!("{name}{number}@example.com") }));
        asked.spawn(async move { setup.post("/auth/password/forgot", body).await });
    }
    let loaded = from.elapsed();
    while let Some(answer) = asked.join_next().await {
        answer.map_err(|error| error.to_string())??;
    }
    let from = Instant::now();
    while setup.database.scalar("SELECT count(*) FROM outbox WHERE state = 'pending'").await > 0 {
        if from.elapsed() > TIMEOUT {
            return Err(format!("{}: jobs still wait after {TIMEOUT:?}", setup.name));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(loaded)
}

/// Puts together what the database, the worker's log and the mail server know of each job.
async fn collect_latencies(setup: &Setup, latencies: &mut Latencies) -> Result<(), String> {
    let id = setup.database.hex("id");
    let query = format!(
        "SELECT {id} || ' ' || CAST(created_at AS TEXT) FROM outbox WHERE kind = 'send_password_reset'"
    );
    let jobs = setup.database.texts(&query).await;
    let begun = begun(setup).await?;
    let mut fake_smtp = setup.cluster.fake_smtp.lock().await;
    let accepted: HashMap<&str, i64> =
        fake_smtp.refresh().iter().map(|delivery| (&*delivery.job, delivery.accepted_at)).collect();
    for job in &jobs {
        let (id, asked) = job.split_once(' ').ok_or("a job without an instant")?;
        let asked = instant(asked).map_err(|error| format!("{asked:?}: {error}"))?;
        let (Some(begun), Some(accepted)) = (begun.get(id), accepted.get(id)) else {
            return Err(format!("{}: no time is known for the job {id}", setup.name));
        };
        let since = |at: i64| Duration::from_micros(u64::try_from(at - asked).unwrap_or_default());
        latencies.begun.push(since(*begun));
        latencies.accepted.push(since(*accepted));
    }
    match jobs.len() == JOBS * ROUNDS {
        true => Ok(()),
        false => Err(format!("{}: {} jobs of {}", setup.name, jobs.len(), JOBS * ROUNDS)),
    }
}

/// When the worker took each job, by its log.
async fn begun(setup: &Setup) -> Result<HashMap<String, i64>, String> {
    let worker = setup.cluster.workers.first().unwrap_or(&setup.cluster.api).lock().await;
    let log = std::fs::read_to_string(worker.log()).map_err(|error| error.to_string())?;
    let line = |line: &str| {
        let at = instant(line.split_whitespace().next()?).ok()?;
        let job = line.split("job=").nth(1)?.split_whitespace().next()?;
        Some((job.replace('-', ""), at))
    };
    Ok(log.lines().filter(|line| line.contains(" begun ")).filter_map(line).collect())
}

/// Microseconds since 1970 of `2026-11-25T10:00:00.123456Z`, and as either database writes it.
fn instant(text: &str) -> Result<i64, ParseError> {
    let text = text.replacen('T', " ", 1).replace('Z', "+00");
    Ok(DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f%#z")?.timestamp_micros())
}

fn row(name: &str, latencies: &Latencies) -> Vec<String> {
    let rate = latencies.begun.len() as f64 / latencies.loaded.as_secs_f64();
    let mut row = vec![name.to_owned(), format!("{rate:.0}")];
    for times in [&latencies.begun, &latencies.accepted] {
        row.extend([0.5, 0.99, 1.0].map(|part| milliseconds(quantile(times, part))));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_however_it_is_written() {
        for text in [
            "2026-11-25T10:00:00.123456Z",
            "2026-11-25T10:00:00.123456+00:00",
            "2026-11-25 10:00:00.123456+00",
            "2026-11-25 12:00:00.123456+02",
        ] {
            assert_eq!(instant(text), Ok(1_795_600_800_123_456), "{text}");
        }
    }
}
