//! How many e-mails per second a worker sends when many wait.

use std::time::{Duration, Instant};

use insula_tests::{Database, Dice, Plan, Whose, figures::median, screen};

use crate::stand::{self, Stand};

/// That wait at the beginning of each round.
const MAILS: usize = 6000;

/// Of each stand.
const ROUNDS: usize = 3;

/// How long a round may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// In turns, in an order of chance.
pub(crate) async fn measure(dice: &mut Dice) -> Result<(), String> {
    screen::title(&format!("{MAILS} mails wait for a worker: from the first to the last that was accepted"));
    let sqlite = Plan { durability: stand::told().durability, ..Plan::with_worker(Database::Sqlite) };
    let mut stands = Vec::new();
    for (name, plan) in
        [("PostgreSQL, Redis", stand::told()), ("PostgreSQL", stand::untold()), ("SQLite", sqlite)]
    {
        screen::passing(&format!("starting {name}"));
        let stand = Stand::start(name, plan).await?;
        stand.stage.workers[0].lock().await.terminate().await?;
        stands.push((stand, Vec::new()));
    }
    for number in 1..=ROUNDS {
        let mut order: Vec<_> = stands.iter_mut().collect();
        dice.shuffle(&mut order);
        for (stand, rates) in order {
            screen::passing(&format!("{}, round {number} of {ROUNDS}", stand.name));
            rates.push(round(stand).await?);
        }
    }
    let first = median(&stands[0].1);
    let rows: Vec<_> = stands.iter().map(|(stand, rates)| row(stand.name, rates, first)).collect();
    screen::table(&["mails a second", "median", "slowest", "fastest", "ratio"], &rows);
    Ok(())
}

/// The rate at which the mails of one round were accepted.
async fn round(stand: &Stand) -> Result<f64, String> {
    let mut deliveries = stand.stage.deliveries.lock().await;
    let before = deliveries.look().len();
    stand.vault.heap(&stand.user, MAILS, Whose::Platform).await;
    let mut worker = stand.stage.workers[0].lock().await;
    worker.start().await?;
    let from = Instant::now();
    while deliveries.look().len() < before + MAILS {
        if from.elapsed() > PATIENCE {
            let sent = deliveries.look().len() - before;
            return Err(format!("{}: {sent} of {MAILS} mails after {PATIENCE:?}", stand.name));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.terminate().await?;
    let instants = || deliveries.all()[before..].iter().map(|delivery| delivery.accepted_at);
    let (Some(first), Some(last)) = (instants().min(), instants().max()) else {
        return Err(format!("{}: no mail", stand.name));
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
