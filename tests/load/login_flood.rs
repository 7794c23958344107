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
    client::LoadClient,
    cluster::{LoadCluster, mebibytes},
};

/// Clients that log in and clients that read, each in a loop.
const FLOOD: usize = 64;
const READERS: usize = 8;

/// E-mail address of the account for the logins.
const FLOOD_EMAIL: &str = "flood@example.com";

/// Length of each measurement: without and with logins.
const LENGTH: Duration = Duration::from_secs(15);

/// Pause between two reads of a client.
const PAUSE: Duration = Duration::from_millis(20);

/// Limit of the p99 of reads during the logins: a multiple of the p99 without, or this duration if it is longer.
const RATIO: u32 = 10;
const MAX_P99: Duration = Duration::from_millis(100);

/// Limit of the growth of memory in bytes.
const GROWTH: u64 = 64 * 1024 * 1024;

/// Returns a sentence for each fault.
pub(crate) async fn run() -> Result<Vec<String>, String> {
    console::title(&format!("{FLOOD} clients log in, {READERS} read, {} s each", LENGTH.as_secs()));
    let cluster = LoadCluster::start(1, &[]).await?;
    let owner = cluster.owner().await?;
    // A separate user, because more logins than the maximum number of sessions end the oldest ones.
    let anonymous = LoadClient::new(&cluster.url())?;
    anonymous.clone().register(FLOOD_EMAIL).await?;
    let mut faults = Vec::new();
    // Not counted: caches and pools fill.
    read(&owner, Duration::from_secs(2)).await;

    let (alone, failed) = read(&owner, LENGTH).await;
    faults.extend((failed > 0).then(|| format!("{failed} reads failed before the flood")));
    let (before, _) = cluster.memory().await?;
    let is_over = Arc::<AtomicBool>::default();
    let counts: [Arc<AtomicU64>; 3] = Default::default();
    let mut login_flood = JoinSet::new();
    for _ in 0..FLOOD {
        let (client, is_over) = (anonymous.clone(), Arc::clone(&is_over));
        let [succeeded, refused, unexpected] = counts.clone();
        login_flood.spawn(async move {
            while !is_over.load(Relaxed) {
                match client.log_in(FLOOD_EMAIL).await {
                    Ok(answer) if answer.status == 200 => succeeded.fetch_add(1, Relaxed),
                    Ok(answer) if answer.status == 503 && answer.can_wait => refused.fetch_add(1, Relaxed),
                    _ => unexpected.fetch_add(1, Relaxed),
                };
            }
        });
    }
    let (flooded, failed) = read(&owner, LENGTH).await;
    is_over.store(true, Relaxed);
    login_flood.join_all().await;
    let [succeeded, refused, unexpected] = counts.map(|count| count.load(Relaxed));
    let (after, peak) = cluster.memory().await?;

    let (p99, in_flood) = (quantile(&alone, 0.99), quantile(&flooded, 0.99));
    let most = (p99 * RATIO).max(MAX_P99);
    console::line(&format!(
        "  reads: 99 of 100 within {} ms alone ({} reads), {} ms in the flood ({} reads): {:.1} times ({} ms); {failed} failed (0)",
        milliseconds(p99),
        alone.len(),
        milliseconds(in_flood),
        flooded.len(),
        in_flood.as_secs_f64() / p99.as_secs_f64().max(f64::EPSILON),
        milliseconds(most)
    ));
    console::line(&format!(
        "  logins: {succeeded} succeeded, {refused} refused with Retry-After, {unexpected} unexpected (0)",
    ));
    console::line(&format!(
        "  memory: {} before, {} afterwards, {} at most ({} more)",
        mebibytes(before),
        mebibytes(after),
        mebibytes(peak),
        mebibytes(GROWTH)
    ));
    faults.extend((failed > 0).then(|| format!("{failed} reads failed in the flood")));
    faults.extend((unexpected > 0).then(|| format!("{unexpected} logins had unexpected answers")));
    faults
        .extend((in_flood > most).then(|| format!("reads take {} ms in the flood", milliseconds(in_flood))));
    faults.extend((peak > before + GROWTH).then(|| format!("memory grew to {}", mebibytes(peak))));
    Ok(faults)
}

/// Durations of all reads, and the number of failures.
async fn read(client: &LoadClient, length: Duration) -> (Vec<Duration>, u64) {
    let until = Instant::now() + length;
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let client = client.clone();
        readers.spawn(async move {
            let (mut times, mut failed) = (Vec::new(), 0);
            while Instant::now() < until {
                let from = Instant::now();
                match client.list_projects().await {
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
