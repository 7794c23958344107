//! Many logins, which cost a hash each, next to clients that read: the reads stay fast.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use insula_tests::{
    console,
    stats::{milliseconds, quantile},
};
use tokio::task::JoinSet;

use crate::{
    house::{House, mebibytes},
    person::Person,
};

/// Who log in, and who read, each one time after the other.
const FLOOD: usize = 64;
const READERS: usize = 8;

/// Whose account it is that they log in to.
const FLOODER: &str = "flood@example.com";

/// How long is measured, alone and in the flood.
const LENGTH: Duration = Duration::from_secs(15);

/// What a reader does not do between two reads: people look at what they got.
const PAUSE: Duration = Duration::from_millis(20);

/// Of the slowest of a hundred reads in the flood: so many times as alone, or this.
const RATIO: u32 = 10;
const BEARABLE: Duration = Duration::from_millis(100);

/// By which the flood may let memory grow.
const GROWTH: u64 = 64 * 1024 * 1024;

/// What is wrong at the end.
pub(crate) async fn run() -> Result<Vec<String>, String> {
    console::title(&format!("{FLOOD} clients log in, {READERS} read, {} s each", LENGTH.as_secs()));
    let house = House::build(1, &[]).await?;
    let founder = house.founder().await?;
    // A separate user, because more logins than the maximum number of sessions end the oldest ones.
    let anybody = Person::at(&house.url())?;
    anybody.clone().register(FLOODER).await?;
    let mut faults = Vec::new();
    // Not counted: caches and pools fill.
    read(&founder, Duration::from_secs(2)).await;

    let (alone, failed) = read(&founder, LENGTH).await;
    faults.extend((failed > 0).then(|| format!("{failed} reads failed before the flood")));
    let (before, _) = house.memory().await?;
    let is_over = Arc::<AtomicBool>::default();
    let counts: [Arc<AtomicU64>; 3] = Default::default();
    let mut flood = JoinSet::new();
    for _ in 0..FLOOD {
        let (person, is_over) = (anybody.clone(), Arc::clone(&is_over));
        let [made, refused, improper] = counts.clone();
        flood.spawn(async move {
            while !is_over.load(Relaxed) {
                match person.log_in(FLOODER).await {
                    Ok(answer) if answer.status == 200 => made.fetch_add(1, Relaxed),
                    Ok(answer) if answer.status == 503 && answer.can_wait => refused.fetch_add(1, Relaxed),
                    _ => improper.fetch_add(1, Relaxed),
                };
            }
        });
    }
    let (flooded, failed) = read(&founder, LENGTH).await;
    is_over.store(true, Relaxed);
    flood.join_all().await;
    let [made, refused, improper] = counts.map(|count| count.load(Relaxed));
    let (after, peak) = house.memory().await?;

    let (p99, in_flood) = (quantile(&alone, 0.99), quantile(&flooded, 0.99));
    let most = (p99 * RATIO).max(BEARABLE);
    console::line(&format!(
        "  reads: 99 of 100 within {} ms alone ({} reads), {} ms in the flood ({} reads): {:.1} times ({} ms); {failed} failed (0)",
        milliseconds(p99),
        alone.len(),
        milliseconds(in_flood),
        flooded.len(),
        in_flood.as_secs_f64() / p99.as_secs_f64().max(f64::EPSILON),
        milliseconds(most)
    ));
    console::line(&format!("  log-ins: {made} made, {refused} told to come again, {improper} improper (0)",));
    console::line(&format!(
        "  memory: {} before, {} afterwards, {} at most ({} more)",
        mebibytes(before),
        mebibytes(after),
        mebibytes(peak),
        mebibytes(GROWTH)
    ));
    faults.extend((failed > 0).then(|| format!("{failed} reads failed in the flood")));
    faults.extend((improper > 0).then(|| format!("{improper} log-ins were answered improperly")));
    faults
        .extend((in_flood > most).then(|| format!("reads take {} ms in the flood", milliseconds(in_flood))));
    faults.extend((peak > before + GROWTH).then(|| format!("memory grew to {}", mebibytes(peak))));
    Ok(faults)
}

/// What all readers together had to wait, and how many answers were none.
async fn read(person: &Person, length: Duration) -> (Vec<Duration>, u64) {
    let until = Instant::now() + length;
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let person = person.clone();
        readers.spawn(async move {
            let (mut times, mut failed) = (Vec::new(), 0);
            while Instant::now() < until {
                let from = Instant::now();
                match person.list().await {
                    Ok(()) => times.push(from.elapsed()),
                    Err(_) => failed += 1,
                }
                tokio::time::sleep(PAUSE).await;
            }
            (times, failed)
        });
    }
    let mut all = (Vec::new(), 0);
    for (times, failed) in readers.join_all().await {
        all.0.extend(times);
        all.1 += failed;
    }
    all
}
