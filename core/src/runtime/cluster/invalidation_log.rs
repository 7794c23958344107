//! The last invalidations inside one process. They are ordered by a sequence number, not by time.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use super::Invalidation;

/// A fixed number, so that nothing has to be cleaned up. Two things that share a slot are only invalidated together.
/// The slots use half a MiB. At a thousand invalidations a second, less than a twentieth of the cache entries is
/// invalidated without need.
const SLOTS: usize = 1 << 16;

/// The sequence number of the last invalidation of each thing.
pub(super) struct InvalidationLog {
    /// The number of invalidations so far.
    count: AtomicU64,
    /// The sequence number of the last invalidation of everything.
    everything: AtomicU64,
    /// The sequence number of the last invalidation of any organization.
    any_org: AtomicU64,
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Default for InvalidationLog {
    fn default() -> Self {
        Self {
            count: AtomicU64::new(0),
            everything: AtomicU64::new(0),
            any_org: AtomicU64::new(0),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl InvalidationLog {
    pub(super) fn record(&self, invalidation: Invalidation) {
        let sequence = self.count.fetch_add(1, SeqCst) + 1;
        self.slot(invalidation).fetch_max(sequence, SeqCst);
        if matches!(invalidation, Invalidation::Org(_)) {
            self.any_org.fetch_max(sequence, SeqCst);
        }
    }

    /// The current sequence number. Call this *before* a lookup.
    pub(super) fn now(&self) -> u64 {
        self.count.load(SeqCst)
    }

    /// Was none of `things` invalidated after the sequence number `since`?
    pub(super) fn is_unchanged(&self, since: u64, things: &[Invalidation]) -> bool {
        let mut all = things.iter().copied().chain([Invalidation::Everything]);
        all.all(|thing| self.slot(thing).load(SeqCst) <= since)
    }

    fn slot(&self, invalidation: Invalidation) -> &AtomicU64 {
        match invalidation {
            Invalidation::Everything => return &self.everything,
            Invalidation::AnyOrg => return &self.any_org,
            Invalidation::Session(_) | Invalidation::User(_) | Invalidation::Org(_) => {}
        }
        let slot = self.hasher.hash_one(invalidation) % SLOTS as u64;
        // Never too large, because SLOTS is a usize.
        self.slots.get(usize::try_from(slot).unwrap_or_default()).unwrap_or(&self.everything)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{
        clock::Clock,
        ids::{OrgId, SessionId},
    };

    #[test]
    fn an_invalidation_affects_only_earlier_lookups_of_the_same_thing() {
        let log = InvalidationLog::default();
        let (mine, theirs) = (
            Invalidation::Session(SessionId::new(Clock::System.now())),
            Invalidation::Org(OrgId::new(Clock::System.now())),
        );
        let before = log.now();
        assert!(log.is_unchanged(before, &[mine, theirs]));
        log.record(mine);
        assert!(!log.is_unchanged(before, &[mine]) && !log.is_unchanged(before, &[theirs, mine]));
        assert!(log.is_unchanged(before, &[theirs]) && log.is_unchanged(log.now(), &[mine]));
        assert!(log.is_unchanged(before, &[Invalidation::AnyOrg]));
        log.record(Invalidation::Org(OrgId::new(Clock::System.now())));
        assert!(!log.is_unchanged(before, &[Invalidation::AnyOrg]) && log.is_unchanged(before, &[theirs]));
        log.record(Invalidation::Everything);
        assert!(!log.is_unchanged(before, &[theirs]) && log.is_unchanged(log.now(), &[theirs]));
    }
}
