//! What a server does beside answering, until it stops.

use std::{sync::Arc, time::Duration};

use insula_api::state::State;
use insula_core::{runtime::rate_limit::RateLimiter, storage::db::Db};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often buckets that are full again are forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// How often the database is told which sessions were used.
const WRITE_DOWN_EVERY: Duration = Duration::from_secs(30);

/// How often it is looked what was refused again and again for a minute.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// How often the database is asked for its clock.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// Follows the database's clock.
pub(super) async fn follow_clock(db: Db, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(MEASURE_EVERY)).await.is_some() {
        if let Err(error) = db.measure_skew().await {
            tracing::debug!(%error, "cannot read the clock of the database");
        }
    }
}

/// Learns of keys that were added, changed their turn or were removed, by whichever process.
pub(super) async fn follow_keys(every: Duration, state: Arc<State>, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(every)).await.is_some() {
        if state.is_migrated()
            && let Err(error) = state.tokens.reload().await
        {
            tracing::warn!(%error, "cannot check for changed keys");
        }
    }
}

/// Now and then, and at the end.
pub(super) async fn write_down_seen(state: Arc<State>, stop: CancellationToken) {
    let mut is_over = false;
    while !is_over {
        is_over = stop.run_until_cancelled(sleep(WRITE_DOWN_EVERY)).await.is_none();
        if let Err(error) = state.callers.record_last_seen().await {
            tracing::warn!(%error, "could not record which sessions were used");
        }
    }
}

/// Now and then, and at the end.
pub(super) async fn write_down_refused(state: Arc<State>, stop: CancellationToken) {
    let mut is_over = false;
    while !is_over {
        is_over = stop.run_until_cancelled(sleep(COUNT_EVERY)).await.is_none();
        if let Err(error) = state.refusals.flush_counts(is_over).await {
            tracing::warn!(%error, "could not record repeated refusals");
        }
    }
}

/// Buckets that are full again are forgotten, so that memory is bounded by who asks, not by who ever asked.
pub(super) async fn tidy(limits: RateLimiter, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(TIDY_EVERY)).await.is_some() {
        let limits = limits.clone();
        // Of a million buckets it takes a tenth of a second.
        drop(tokio::task::spawn_blocking(move || limits.evict_idle()).await);
    }
}
