//! The background tasks of a server, which run until it stops.

use std::{sync::Arc, time::Duration};

use insula_api::state::AppState;
use insula_core::{runtime::rate_limit::RateLimiter, storage::db::Db};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Interval to remove full rate limit buckets.
const EVICTION_INTERVAL: Duration = Duration::from_secs(30);

/// Interval to store which sessions were used.
const LAST_SEEN_INTERVAL: Duration = Duration::from_secs(30);

/// Interval to record requests that were refused repeatedly for a minute.
const REFUSALS_INTERVAL: Duration = Duration::from_secs(5);

/// Interval to measure the clock of the database.
const CLOCK_INTERVAL: Duration = Duration::from_secs(10);

/// Measures the clock of the database regularly.
pub(super) async fn follow_clock(db: Db, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(CLOCK_INTERVAL)).await.is_some() {
        if let Err(error) = db.measure_skew().await {
            tracing::debug!(%error, "cannot read the clock of the database");
        }
    }
}

/// Loads keys that any process added, activated or removed.
pub(super) async fn follow_keys(every: Duration, state: Arc<AppState>, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(every)).await.is_some() {
        if state.is_migrated()
            && let Err(error) = state.tokens.reload().await
        {
            tracing::warn!(%error, "cannot check for changed keys");
        }
    }
}

/// Stores which sessions were used, regularly and at the end.
pub(super) async fn record_last_seen(state: Arc<AppState>, stop: CancellationToken) {
    let mut is_over = false;
    while !is_over {
        is_over = stop.run_until_cancelled(sleep(LAST_SEEN_INTERVAL)).await.is_none();
        if let Err(error) = state.callers.record_last_seen().await {
            tracing::warn!(%error, "could not record which sessions were used");
        }
    }
}

/// Records repeated refusals, regularly and at the end.
pub(super) async fn record_refusals(state: Arc<AppState>, stop: CancellationToken) {
    let mut is_over = false;
    while !is_over {
        is_over = stop.run_until_cancelled(sleep(REFUSALS_INTERVAL)).await.is_none();
        if let Err(error) = state.refusals.flush_counts(is_over).await {
            tracing::warn!(%error, "could not record repeated refusals");
        }
    }
}

/// Removes full buckets regularly, so that memory depends on active clients and not on all clients so far.
pub(super) async fn tidy(limits: RateLimiter, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(EVICTION_INTERVAL)).await.is_some() {
        let limits = limits.clone();
        // It takes a tenth of a second for a million buckets.
        drop(tokio::task::spawn_blocking(move || limits.evict_idle()).await);
    }
}
