//! Looks for jobs that are due and that nobody told of: those that wait for another attempt, those whose worker is gone,
//! and those whose ring was lost.

use std::time::Duration;

use insula_core::{
    base::backoff::jittered,
    runtime::telemetry::Heartbeat,
    storage::{db::Db, outbox},
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{fair_queue::FairQueue, mailer::Mailer};

/// How often to look, a fifth more or less, so that many workers do not look at once.
const EVERY: Duration = Duration::from_secs(2);
/// How often, while there was more than one look brought.
const OFTEN: Duration = Duration::from_millis(20);
/// Most jobs that one look brings.
const MOST: u64 = 2000;
/// Where more wait for a hand than this, there is no need to look more often than every [`EVERY`]: those of others may
/// have come meanwhile, who would have to wait for all that was found before.
const ENOUGH: usize = 500;

/// Looks until `stop`, for no more jobs than `post` can take. The pulse beats at each look, whether the database answers or
/// not.
pub(crate) async fn run(
    db: &Db,
    queue: &FairQueue,
    post: &Mailer,
    pulse: &Heartbeat,
    stop: &CancellationToken,
) {
    let (mut pause, mut is_away, mut looked) = (Duration::ZERO, false, None::<Instant>);
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        pulse.beat();
        if queue.len() > ENOUGH && looked.is_some_and(|looked| looked.elapsed() < EVERY) {
            pause = OFTEN;
            continue;
        }
        // After an outage of the mail server: as many as may be tried, and not more often than usual.
        let room = post.room().map(|room| room as u64);
        if room == Some(0) {
            pause = jittered(EVERY / 4);
            continue;
        }
        looked = Some(Instant::now());
        match outbox::due(db, room.unwrap_or(MOST)).await {
            Ok(due) => {
                if std::mem::take(&mut is_away) {
                    tracing::info!("the database is available again");
                }
                pause = if room.is_none() && due.len() as u64 == MOST { OFTEN } else { jittered(EVERY) };
                queue.push(due);
            }
            Err(error) => {
                if !std::mem::replace(&mut is_away, true) {
                    tracing::warn!(%error, "cannot poll for jobs");
                }
                pause = jittered(EVERY / 4);
            }
        }
    }
}
