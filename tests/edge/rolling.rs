//! Two servers behind a balancer, restarted in turn under load: nobody notices.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use insula_tests::{TestRng, console, services::LoadBalancer};
use tokio::task::JoinSet;

use crate::{house::House, person::Person};

/// Who ask, each one thing after the other, with a little pause.
const CLIENTS: u64 = 8;

/// How often each server is restarted.
pub(crate) const ROUNDS: u64 = 3;

/// As in production.
const SETTINGS: [(&str, &str); 2] = [("INSULA_DRAIN_DELAY", "5"), ("INSULA_TRUSTED_PROXIES", "127.0.0.0/8")];

/// What all clients write down.
#[derive(Default)]
struct Ledger {
    is_over: AtomicBool,
    reads: AtomicU64,
    /// The codes of projects, and the notes of time entries, that were acknowledged.
    written: Mutex<Vec<String>>,
    failed: Mutex<Vec<String>>,
}

/// What is wrong at the end.
pub(crate) async fn run(rounds: u64) -> Result<Vec<String>, String> {
    console::title(&format!("two servers behind a balancer, {rounds} restarts of each, {CLIENTS} clients"));
    let house = House::build(2, &SETTINGS).await?;
    let founder = house.founder().await?;
    let balancer = LoadBalancer::start(&house.ports)?;
    balancer.wait_for(2).await?;
    let ledger = Arc::new(Ledger::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let person = founder.moved_to(&balancer.url)?;
        clients.spawn(work(person, number, Arc::clone(&ledger)));
    }
    let rolled = roll(&house, &balancer, rounds).await;
    ledger.is_over.store(true, Relaxed);
    while clients.join_next().await.is_some() {}

    let mut faults = Vec::new();
    match rolled {
        Ok(longest) => {
            console::line(&format!("  a stop under load: {:.1} s at most (30 s)", longest.as_secs_f32()));
        }
        Err(reason) => faults.push(reason),
    }
    let failed = std::mem::take(&mut *ledger.failed.lock().unwrap_or_else(PoisonError::into_inner));
    let written = std::mem::take(&mut *ledger.written.lock().unwrap_or_else(PoisonError::into_inner));
    let kept = "SELECT code FROM projects UNION ALL SELECT notes FROM time_entries";
    let kept = house.database().await.texts(kept).await;
    let lost = written.iter().filter(|code| !kept.contains(code)).count();
    console::line(&format!(
        "  requests: {} reads, {} acknowledged writes, {} failed (0), {lost} writes lost (0)",
        ledger.reads.load(Relaxed),
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
        console::line(&house.logs().await);
    }
    Ok(faults)
}

/// Restarts each in its turn, when the balancer sees both; how long the longest stop took.
async fn roll(house: &House, balancer: &LoadBalancer, rounds: u64) -> Result<Duration, String> {
    let mut longest = Duration::ZERO;
    for round in 1..=rounds {
        for api in &house.apis {
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

/// Reads and writes until it is over.
async fn work(person: Person, number: u64, ledger: Arc<Ledger>) {
    let mut rng = TestRng::new(number);
    for turn in 0_u64.. {
        if ledger.is_over.load(Relaxed) {
            return;
        }
        let done = if turn % 3 == 2 {
            let code = format!("C{number}T{turn}");
            let made =
                if turn % 2 == 0 { person.plan(&code).await } else { person.create_time_entry(&code).await };
            made.map(|()| ledger.written.lock().unwrap_or_else(PoisonError::into_inner).push(code))
        } else {
            person.list().await.map(|()| {
                ledger.reads.fetch_add(1, Relaxed);
            })
        };
        if let Err(reason) = done {
            ledger.failed.lock().unwrap_or_else(PoisonError::into_inner).push(reason);
        }
        tokio::time::sleep(rng.duration_between(5, 40)).await;
    }
}
