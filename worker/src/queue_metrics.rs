//! Counts in the database for metrics: pending and dead jobs, the age of the oldest one, and active sessions.

use std::time::Duration;

use insula_core::{
    identity::sessions,
    runtime::telemetry::metrics,
    storage::{db::Db, outbox},
};
use tokio_util::sync::CancellationToken;

use crate::every;

/// About as often as monitoring systems read metrics.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// A count of sessions reads all of them, which takes longer than a count of pending jobs.
const COUNT_SESSIONS_EVERY: Duration = Duration::from_secs(60);

/// Counts active sessions until `stop`.
pub(crate) async fn count_sessions(db: &Db, stop: &CancellationToken) {
    let mut tick = every(COUNT_SESSIONS_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match sessions::count_active(db).await {
            Ok(sessions) => metrics::sessions_counted(sessions),
            Err(error) => tracing::warn!(%error, "could not count the active sessions"),
        }
    }
}

/// Measures each queue until `stop`.
pub(crate) async fn run(db: &Db, stop: &CancellationToken) {
    let mut tick = every(COUNT_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match outbox::depths(db).await {
            Ok(depths) => depths.iter().for_each(record),
            Err(error) => tracing::warn!(%error, "could not count the pending jobs"),
        }
    }
}

fn record(depth: &outbox::QueueDepth) {
    let queue = depth.queue.as_str();
    metrics::jobs_counted(queue, outbox::OutboxState::Pending.as_str(), depth.pending);
    metrics::jobs_counted(queue, outbox::OutboxState::Dead.as_str(), depth.dead);
    metrics::oldest_job(queue, depth.oldest.as_secs_f64());
}
