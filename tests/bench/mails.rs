//! How many e-mails per second a worker sends when many wait.

use std::time::{Duration, Instant};

use insula_tests::{ClusterConfig, DatabaseKind, JobOwner, TestRng, console, stats::median};

use crate::setup::{self, Setup};

/// That wait at the beginning of each round.
const MAILS: usize = 6000;

/// Rounds of each setup.
const ROUNDS: usize = 3;

/// How long a round may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Measures the setups in turns, in random order.
pub(crate) async fn measure(rng: &mut TestRng) -> Result<(), String> {
    console::title(&format!("{MAILS} mails wait for a worker: from the first to the last that was accepted"));
    let sqlite = ClusterConfig {
        durability: setup::with_redis().durability,
        ..ClusterConfig::with_worker(DatabaseKind::Sqlite)
    };
    let mut setups = Vec::new();
    for (name, config) in [
        ("PostgreSQL, Redis", setup::with_redis()),
        ("PostgreSQL", setup::without_redis()),
        ("SQLite", sqlite),
    ] {
        console::progress(&format!("starting {name}"));
        let setup = Setup::start(name, config).await?;
        setup.cluster.workers[0].lock().await.terminate().await?;
        setups.push((setup, Vec::new()));
    }
    for number in 1..=ROUNDS {
        let mut order: Vec<_> = setups.iter_mut().collect();
        rng.shuffle(&mut order);
        for (setup, rates) in order {
            console::progress(&format!("{}, round {number} of {ROUNDS}", setup.name));
            rates.push(round(setup).await?);
        }
    }
    let first = median(&setups[0].1);
    let rows: Vec<_> = setups.iter().map(|(setup, rates)| row(setup.name, rates, first)).collect();
    console::table(&["mails a second", "median", "slowest", "fastest", "ratio"], &rows);
    Ok(())
}

/// The rate at which the e-mails of one round were accepted.
async fn round(setup: &Setup) -> Result<f64, String> {
    let mut fake_smtp = setup.cluster.fake_smtp.lock().await;
    let before = fake_smtp.refresh().len();
    setup.database.insert_welcome_jobs(&setup.user, MAILS, JobOwner::Platform).await;
    let mut worker = setup.cluster.workers[0].lock().await;
    worker.start().await?;
    let from = Instant::now();
    while fake_smtp.refresh().len() < before + MAILS {
        if from.elapsed() > TIMEOUT {
            let sent = fake_smtp.refresh().len() - before;
            return Err(format!("{}: {sent} of {MAILS} mails after {TIMEOUT:?}", setup.name));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.terminate().await?;
    let instants = || fake_smtp.all()[before..].iter().map(|delivery| delivery.accepted_at);
    let (Some(first), Some(last)) = (instants().min(), instants().max()) else {
        return Err(format!("{}: no mail", setup.name));
    };
    Ok((MAILS - 1) as f64 * 1e6 / (last - first) as f64)
}

fn row(name: &str, rates: &[f64], first: f64) -> Vec<String> {
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    let middle = median(rates);
    let mut row = vec![name.to_owned()];
    row.extend([middle, least, most].map(|rate| format!("{rate:.0}")));
    row.push(format!("{:.2}", middle / first));
    row
}
