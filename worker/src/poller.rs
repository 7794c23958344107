//! Polls the outbox for due jobs: jobs that wait for another attempt, jobs whose worker stopped, and jobs whose notification
//! was lost.

use std::time::Duration;

use insula_core::{
    base::backoff::jittered,
    runtime::telemetry::Heartbeat,
    storage::{db::Db, outbox},
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{fair_queue::FairQueue, mailer::Mailer};

/// The interval, 20 % more or less, so that many workers do not poll at once.
const INTERVAL: Duration = Duration::from_secs(2);
/// The interval while there are more due jobs than one poll returns.
const SHORT_INTERVAL: Duration = Duration::from_millis(20);
/// Most jobs of one poll.
const BATCH: u64 = 2000;
/// While more jobs than this wait in the queue, the short interval is not used: new jobs of other organizations would wait
/// behind all that are added.
const ENOUGH_WAITING: usize = 500;

/// Polls until `stop`, for no more jobs than `mailer` can send. The heartbeat beats at each poll, also while the database
/// does not answer.
pub(crate) async fn run(
    db: &Db,
    queue: &FairQueue,
    mailer: &Mailer,
    heartbeat: &Heartbeat,
    stop: &CancellationToken,
) {
    let (mut pause, mut is_unreachable, mut polled) = (Duration::ZERO, false, None::<Instant>);
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        heartbeat.beat();
        if queue.len() > ENOUGH_WAITING && polled.is_some_and(|polled| polled.elapsed() < INTERVAL) {
            pause = SHORT_INTERVAL;
            continue;
        }
        // During an outage of the mail server and after it: as many as can be tried, at most at the usual interval.
        let room = mailer.room().map(|room| room as u64);
        if room == Some(0) {
            pause = jittered(INTERVAL / 4);
            continue;
        }
        polled = Some(Instant::now());
        match outbox::due(db, room.unwrap_or(BATCH)).await {
            Ok(due) => {
                if std::mem::take(&mut is_unreachable) {
                    tracing::info!("the database is available again");
                }
                pause = if room.is_none() && due.len() as u64 == BATCH {
                    SHORT_INTERVAL
                } else {
                    jittered(INTERVAL)
                };
                queue.push(due);
            }
            Err(error) => {
                if !std::mem::replace(&mut is_unreachable, true) {
                    tracing::warn!(%error, "cannot poll for jobs");
                }
                pause = jittered(INTERVAL / 4);
            }
        }
    }
}
