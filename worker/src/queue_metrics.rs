//! Counts what waits, for operators.

use std::time::Duration;

use insula_core::{
    runtime::telemetry::metrics,
    storage::{db::Db, outbox},
};
use tokio_util::sync::CancellationToken;

use crate::every;

/// How often: about as often as somebody looks.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// Counts the jobs of each queue until `stop`.
pub(crate) async fn count(db: &Db, stop: &CancellationToken) {
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
    metrics::jobs_counted(queue, outbox::State::Pending.as_str(), depth.pending);
    metrics::jobs_counted(queue, outbox::State::Dead.as_str(), depth.dead);
    metrics::oldest_job(queue, depth.oldest.as_secs_f64());
}
