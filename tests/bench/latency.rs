//! How long a job waits for a worker that has little to do: from the instant at which the transaction began that asked for
//! it, until a hand has taken it, and until the mail server has its mail. Each of these is more than what it stands for:
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

use crate::stand::{self, FOUNDER, Stand};

/// Of one round, one in ten milliseconds.
const JOBS: usize = 800;
const GAP: Duration = Duration::from_millis(10);

/// Of each stand.
const ROUNDS: usize = 2;

/// How long the last job of a round may wait.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a worker says of each job that it begins.
const LOG: &str = "warn,insula_worker::job_handler=debug";

/// What was seen of one stand.
#[derive(Default)]
struct Seen {
    /// How long the load took.
    loaded: Duration,
    begun: Vec<Duration>,
    accepted: Vec<Duration>,
}

/// In turns, in an order of chance.
pub(crate) async fn measure(rng: &mut TestRng) -> Result<(), String> {
    console::title(&format!(
        "{} jobs a second: from the beginning of the transaction",
        1000 / GAP.as_millis()
    ));
    let mut stands = Vec::new();
    for (name, config) in [
        ("PostgreSQL, worker beside it, Redis", stand::told()),
        ("PostgreSQL, worker beside it", stand::untold()),
        ("PostgreSQL, worker inside", stand::embedded(DatabaseKind::Postgres)),
        ("SQLite, worker inside", stand::embedded(DatabaseKind::Sqlite)),
    ] {
        console::progress(&format!("starting {name}"));
        let stand = Stand::start(name, ClusterConfig { log: LOG, ..config }).await?;
        stands.push((Arc::new(stand), Seen::default()));
    }
    for number in 1..=ROUNDS {
        let mut order: Vec<_> = stands.iter_mut().collect();
        rng.shuffle(&mut order);
        for (stand, seen) in order {
            console::progress(&format!("{}, round {number} of {ROUNDS}", stand.name));
            seen.loaded += load(stand, number, rng.clone()).await?;
        }
    }
    let mut rows = Vec::new();
    for (stand, seen) in &mut stands {
        look(stand, seen).await?;
        rows.push(row(stand.name, seen));
    }
    let head = ["ms", "jobs/s", "begun p50", "p99", "longest", "accepted p50", "p99", "longest"];
    console::table(&head, &rows);
    Ok(())
}

/// As many people as there are jobs forget their passwords: nothing that is asked costs less and sends a mail.
async fn load(stand: &Arc<Stand>, number: usize, mut rng: TestRng) -> Result<Duration, String> {
    let name = format!("round{number}-");
    stand.database.insert_users(FOUNDER, &name, JOBS).await;
    let (mut asked, from) = (JoinSet::new(), Instant::now());
    let mut next = tokio::time::Instant::now();
    for person in 1..=JOBS {
        tokio::time::sleep_until(next).await;
        // Nobody waits for the answer to another.
        next += 2 * GAP * u32::try_from(rng.below(1000)).unwrap_or_default() / 1000;
        let (stand, body) = (Arc::clone(stand), json!({ "email": format!("{name}{person}@example.com") }));
        asked.spawn(async move { stand.post("/auth/password/forgot", body).await });
    }
    let loaded = from.elapsed();
    while let Some(answer) = asked.join_next().await {
        answer.map_err(|error| error.to_string())??;
    }
    let from = Instant::now();
    while stand.database.scalar("SELECT count(*) FROM outbox WHERE state = 'pending'").await > 0 {
        if from.elapsed() > TIMEOUT {
            return Err(format!("{}: jobs still wait after {TIMEOUT:?}", stand.name));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(loaded)
}

/// Puts together what the database, the worker's log and the mail server know of each job.
async fn look(stand: &Stand, seen: &mut Seen) -> Result<(), String> {
    let id = stand.database.hex("id");
    let query = format!(
        "SELECT {id} || ' ' || CAST(created_at AS TEXT) FROM outbox WHERE kind = 'send_password_reset'"
    );
    let jobs = stand.database.texts(&query).await;
    let begun = begun(stand).await?;
    let mut fake_smtp = stand.cluster.fake_smtp.lock().await;
    let accepted: HashMap<&str, i64> =
        fake_smtp.refresh().iter().map(|delivery| (&*delivery.job, delivery.accepted_at)).collect();
    for job in &jobs {
        let (id, asked) = job.split_once(' ').ok_or("a job without an instant")?;
        let asked = instant(asked).map_err(|error| format!("{asked:?}: {error}"))?;
        let (Some(begun), Some(accepted)) = (begun.get(id), accepted.get(id)) else {
            return Err(format!("{}: nobody knows when {id} was done", stand.name));
        };
        let since = |at: i64| Duration::from_micros(u64::try_from(at - asked).unwrap_or_default());
        seen.begun.push(since(*begun));
        seen.accepted.push(since(*accepted));
    }
    match jobs.len() == JOBS * ROUNDS {
        true => Ok(()),
        false => Err(format!("{}: {} jobs of {}", stand.name, jobs.len(), JOBS * ROUNDS)),
    }
}

/// When the worker took each job, by its log.
async fn begun(stand: &Stand) -> Result<HashMap<String, i64>, String> {
    let worker = stand.cluster.workers.first().unwrap_or(&stand.cluster.api).lock().await;
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

fn row(name: &str, seen: &Seen) -> Vec<String> {
    let rate = seen.begun.len() as f64 / seen.loaded.as_secs_f64();
    let mut row = vec![name.to_owned(), format!("{rate:.0}")];
    for times in [&seen.begun, &seen.accepted] {
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
