//! Background work: what nobody waits for. Runs inside the server, or in a process of its own.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::time::Duration;

use insula_core::{accounts, db::Db, maintenance};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often what has expired is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Works until `stop`; what is being done then is finished.
pub async fn run(db: Db, stop: CancellationToken) {
    let mut tick = interval(SWEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match maintenance::expire(&db).await {
            Ok(swept) if swept == maintenance::Swept::default() => {}
            Ok(swept) => {
                tracing::info!(
                    sessions = swept.sessions,
                    answers = swept.answers,
                    "removed what has expired"
                );
            }
            // The next tick tries again.
            Err(error) => tracing::warn!(%error, "could not remove what has expired"),
        }
        match accounts::purge(&db).await {
            Ok(0) => {}
            Ok(accounts) => tracing::info!(accounts, "forgot deleted accounts"),
            Err(error) => tracing::warn!(%error, "could not forget deleted accounts"),
        }
    }
}
