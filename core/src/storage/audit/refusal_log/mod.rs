//! Refusals in the audit log: each in a small transaction of its own, and at most one a minute of those that are alike.
//!
//! Those that follow are counted, and their number is one more event when the minute is over: nobody fills a log by being
//! refused, and nothing that was refused is missing from it.

mod deduplicator;
mod refusal;
mod trail;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use deduplicator::{Deduplicator, WINDOW, Window};
use futures_util::{StreamExt, stream};
use refusal::{Key, Refusal};
pub(crate) use trail::Place;
pub use trail::RequestTrail;

use crate::{Error, Result, storage::db::Db};

/// Most counts that are written at a time.
const AT_ONCE: usize = 8;

/// Writes refusals down. One of a process.
pub struct RefusalLog {
    db: Db,
    cap: Mutex<Deduplicator<Key, Refusal>>,
}

impl RefusalLog {
    /// Into the logs of this database.
    pub fn new(db: Db) -> Self {
        Self { db, cap: Mutex::default() }
    }

    /// Writes down that `error` was the answer of `operation` to the request of `trail`, or counts it; nothing, where that
    /// is no refusal that a log tells of. Whoever is refused is so whether it can be written or not.
    pub async fn note(&self, trail: &RequestTrail, operation: &'static str, error: &Error) {
        let Some(refusal) = Refusal::of(trail.findings(), operation, error) else { return };
        let key = refusal.key();
        if !self.cap().admits(&key, Instant::now(), || refusal.alike()) {
            return;
        }
        match self.write(refusal).await {
            Ok(()) => self.cap().written(&key),
            Err(error) => tracing::warn!(%error, operation, "could not record a refusal yet"),
        }
    }

    /// Writes down how often was refused again what was refused a minute ago; `is_last`: or less, since nobody will ask
    /// again.
    ///
    /// # Errors
    /// Whatever the database refuses; what could not be written is tried again the next time.
    pub async fn flush_counts(&self, is_last: bool) -> Result<()> {
        let now = Instant::now();
        let over = self.cap().over(if is_last { now + WINDOW } else { now });
        let writing = over.into_iter().map(|(key, window)| self.write_down(key, window));
        let written: Vec<_> = stream::iter(writing).buffer_unordered(AT_ONCE).collect().await;
        written.into_iter().collect()
    }

    async fn write_down(&self, key: Option<Key>, window: Window<Refusal>) -> Result<()> {
        let alike = window.about.clone().unwrap_or_else(Refusal::unknown);
        let written = self.write(alike.repeated(window.count)).await;
        if written.is_err() {
            self.cap().give_back(key, window);
        }
        written
    }

    async fn write(&self, refusal: Refusal) -> Result<()> {
        let (outcome, details) = (refusal.outcome(), refusal.details());
        let tx = self.db.begin_global(refusal.origin).await?;
        #[expect(clippy::disallowed_methods, reason = "adds an event, and touches nothing else")]
        let scope = tx.enter_org(refusal.log).await?;
        scope.record_attempt(refusal.action, refusal.resource_id, outcome, &details).await?;
        drop(scope);
        tx.commit().await
    }

    fn cap(&self) -> MutexGuard<'_, Deduplicator<Key, Refusal>> {
        self.cap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
