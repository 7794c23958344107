//! Background work: what nobody waits for. Runs inside the server, or in a process of its own.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::time::Duration;

use insula_core::{accounts, db::Db, maintenance, secret::MasterKey, signing_keys::Schedule};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often what has expired is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How the keys that sign take turns.
pub struct Keys {
    /// Wraps their private parts.
    pub master: MasterKey,
    /// How long each stage lasts.
    pub schedule: Schedule,
    /// How often it is looked whether one is over.
    pub every: Duration,
}

/// Works until `stop`; what is being done then is finished.
pub async fn run(db: Db, keys: Keys, stop: CancellationToken) {
    tokio::join!(sweep(&db, &stop), take_turns(&db, &keys, &stop));
}

fn every(period: Duration) -> Interval {
    let mut tick = interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

async fn take_turns(db: &Db, keys: &Keys, stop: &CancellationToken) {
    let mut tick = every(keys.every);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error) = maintenance::advance_keys(db, &keys.master, &keys.schedule).await {
            tracing::warn!(%error, "could not look after the signing keys");
        }
    }
}

async fn sweep(db: &Db, stop: &CancellationToken) {
    let mut tick = every(SWEEP_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match maintenance::expire(db).await {
            Ok(swept) if swept == maintenance::Swept::default() => {}
            Ok(swept) => {
                tracing::info!(
                    sessions = swept.sessions,
                    tokens = swept.tokens,
                    answers = swept.answers,
                    "removed what has expired"
                );
            }
            // The next tick tries again.
            Err(error) => tracing::warn!(%error, "could not remove what has expired"),
        }
        match accounts::purge(db).await {
            Ok(0) => {}
            Ok(accounts) => tracing::info!(accounts, "forgot deleted accounts"),
            Err(error) => tracing::warn!(%error, "could not forget deleted accounts"),
        }
    }
}
