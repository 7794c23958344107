//! Two servers behind a load balancer, restarted in turn under load: no request fails.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use insula_tests::{TestRng, console, services::LoadBalancer};
use tokio::task::JoinSet;

use crate::{client::LoadClient, cluster::LoadCluster};

/// Clients, each with one request at a time.
const CLIENTS: u64 = 8;

/// Default number of restarts of each server.
pub(crate) const ROUNDS: u64 = 3;

/// Settings as in production.
const SETTINGS: [(&str, &str); 2] = [("INSULA_DRAIN_DELAY", "5"), ("INSULA_TRUSTED_PROXIES", "127.0.0.0/8")];

/// Records of all clients.
#[derive(Default)]
struct Records {
    is_over: AtomicBool,
    reads: AtomicU64,
    /// The codes of projects, and the notes of time entries, that were acknowledged.
    written: Mutex<Vec<String>>,
    failed: Mutex<Vec<String>>,
}

/// Returns a sentence for each fault.
pub(crate) async fn run(rounds: u64) -> Result<Vec<String>, String> {
    console::title(&format!(
        "two servers behind a load balancer, {rounds} restarts of each, {CLIENTS} clients"
    ));
    let cluster = LoadCluster::start(2, &SETTINGS).await?;
    let owner = cluster.owner().await?;
    let balancer = LoadBalancer::start(&cluster.ports)?;
    balancer.wait_for(2).await?;
    let records = Arc::new(Records::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = owner.moved_to(&balancer.url)?;
        clients.spawn(work(client, number, Arc::clone(&records)));
    }
    let rolled = roll(&cluster, &balancer, rounds).await;
    records.is_over.store(true, Relaxed);
    while clients.join_next().await.is_some() {}

    let mut faults = Vec::new();
    match rolled {
        Ok(longest) => {
            console::line(&format!("  a stop under load: {:.1} s at most (30 s)", longest.as_secs_f32()));
        }
        Err(reason) => faults.push(reason),
    }
    let failed = std::mem::take(&mut *records.failed.lock().unwrap_or_else(PoisonError::into_inner));
    let written = std::mem::take(&mut *records.written.lock().unwrap_or_else(PoisonError::into_inner));
    let kept = "SELECT code FROM projects UNION ALL SELECT notes FROM time_entries";
    let kept = cluster.database().await.texts(kept).await;
    let lost = written.iter().filter(|code| !kept.contains(code)).count();
    console::line(&format!(
        "  requests: {} reads, {} acknowledged writes, {} failed (0), {lost} writes lost (0)",
        records.reads.load(Relaxed),
        written.len(),
        failed.len()
    ));
    faults.extend((lost > 0).then(|| format!("{lost} acknowledged writes were lost")));
    faults.extend(
        (!failed.is_empty()).then(|| {
            format!("{} requests failed, such as {:#?}", failed.len(), &failed[..failed.len().min(5)])
        }),
    );
    faults.extend(written.is_empty().then(|| "nothing was written".to_owned()));
    if !faults.is_empty() {
        console::line(&cluster.logs().await);
    }
    Ok(faults)
}

/// Restarts the servers in turn, when the load balancer sees both; returns the longest stop.
async fn roll(cluster: &LoadCluster, balancer: &LoadBalancer, rounds: u64) -> Result<Duration, String> {
    let mut longest = Duration::ZERO;
    for round in 1..=rounds {
        for api in &cluster.apis {
            balancer.wait_for(2).await?;
            let mut api = api.lock().await;
            console::progress(&format!("round {round} of {rounds}: {}", api.name));
            let from = Instant::now();
            api.terminate().await?;
            longest = longest.max(from.elapsed());
            balancer.wait_for(1).await?;
            api.start().await?;
        }
    }
    balancer.wait_for(2).await?;
    Ok(longest)
}

/// Reads and writes until the end of the run.
async fn work(client: LoadClient, number: u64, records: Arc<Records>) {
    let mut rng = TestRng::new(number);
    for turn in 0_u64.. {
        if records.is_over.load(Relaxed) {
            return;
        }
        let done = if turn % 3 == 2 {
            let code = format!("C{number}T{turn}");
            let made = if turn % 2 == 0 {
                client.create_project(&code).await
            } else {
                client.create_time_entry(&code).await
            };
            made.map(|()| records.written.lock().unwrap_or_else(PoisonError::into_inner).push(code))
        } else {
            client.list_projects().await.map(|()| {
                records.reads.fetch_add(1, Relaxed);
            })
        };
        if let Err(reason) = done {
            records.failed.lock().unwrap_or_else(PoisonError::into_inner).push(reason);
        }
        tokio::time::sleep(rng.duration_between(5, 40)).await;
    }
}
