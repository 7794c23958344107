//! Records refusals in the audit log, each in its own small transaction, and at most one a minute of similar ones.
//!
//! Further refusals are counted, and their number is one more event at the end of the minute. A client can therefore
//! not fill a log with refusals, but no refusal is missing from it.

mod deduplicator;
mod refusal;
mod trail;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use deduplicator::{Deduplicator, WINDOW, Window};
use futures_util::{StreamExt, stream};
use refusal::{Refusal, RefusalKey};
pub(crate) use trail::OrgRelation;
pub use trail::RequestTrail;

use crate::{Error, Result, storage::db::Db};

/// Maximum number of counts that are recorded at the same time.
const CONCURRENCY: usize = 8;

/// Records refusals. There is one in each process.
pub struct RefusalLog {
    db: Db,
    deduplicator: Mutex<Deduplicator<RefusalKey, Refusal>>,
}

impl RefusalLog {
    /// A refusal log for this database.
    pub fn new(db: Db) -> Self {
        Self { db, deduplicator: Mutex::default() }
    }

    /// Records or counts that `error` was the response of `operation` to the request of `trail`. It does nothing for
    /// errors that are not refusals. If recording fails, the client still gets the same response.
    pub async fn record(&self, trail: &RequestTrail, operation: &'static str, error: &Error) {
        let Some(refusal) = Refusal::of(trail.state(), operation, error) else { return };
        let key = refusal.key();
        if !self.deduplicator().admits(&key, Instant::now(), || refusal.similar()) {
            return;
        }
        match self.write(refusal).await {
            Ok(()) => self.deduplicator().recorded(&key),
            Err(error) => tracing::warn!(%error, operation, "could not record a refusal yet"),
        }
    }

    /// Records the counts of windows that are over, or of all windows if `is_last`, when the process stops.
    ///
    /// # Errors
    /// Database errors. Counts that could not be recorded are tried again the next time.
    pub async fn flush_counts(&self, is_last: bool) -> Result<()> {
        let now = Instant::now();
        let expired = self.deduplicator().take_expired(if is_last { now + WINDOW } else { now });
        let pending = expired.into_iter().map(|(key, window)| self.record_count(key, window));
        let recorded: Vec<_> = stream::iter(pending).buffer_unordered(CONCURRENCY).collect().await;
        recorded.into_iter().collect()
    }

    async fn record_count(&self, key: Option<RefusalKey>, window: Window<Refusal>) -> Result<()> {
        let similar = window.about.clone().unwrap_or_else(Refusal::unknown);
        let recorded = self.write(similar.repeated(window.count)).await;
        if recorded.is_err() {
            self.deduplicator().restore(key, window);
        }
        recorded
    }

    async fn write(&self, refusal: Refusal) -> Result<()> {
        let (outcome, details) = (refusal.outcome(), refusal.details());
        let tx = self.db.begin_global(refusal.origin).await?;
        #[expect(clippy::disallowed_methods, reason = "only adds an event")]
        let scope = tx.enter_org(refusal.log).await?;
        scope.record_attempt(refusal.action, refusal.resource_id, outcome, &details).await?;
        drop(scope);
        tx.commit().await
    }

    fn deduplicator(&self) -> MutexGuard<'_, Deduplicator<RefusalKey, Refusal>> {
        self.deduplicator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
