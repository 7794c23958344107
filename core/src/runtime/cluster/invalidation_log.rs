//! What was touched when, inside one process. "When" is a count of touches, not a time.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use super::Invalidation;

/// A fixed number, so that nothing has to be cleaned up: two things that share a slot are only forgotten together.
/// Half a MiB; of what is remembered, a thousand touches a second make less than a twentieth forgotten in vain.
const SLOTS: usize = 1 << 16;

/// Remembers of each thing when it was touched last.
pub(super) struct InvalidationLog {
    /// How many touches there were.
    count: AtomicU64,
    /// When everything was touched last.
    everything: AtomicU64,
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Default for InvalidationLog {
    fn default() -> Self {
        Self {
            count: AtomicU64::new(0),
            everything: AtomicU64::new(0),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl InvalidationLog {
    pub(super) fn note(&self, touch: Invalidation) {
        let moment = self.count.fetch_add(1, SeqCst) + 1;
        self.slot(touch).fetch_max(moment, SeqCst);
    }

    /// The present moment. Whoever looks something up takes it *before* he looks.
    pub(super) fn now(&self) -> u64 {
        self.count.load(SeqCst)
    }

    /// Is all of this as it was at the moment `since`?
    pub(super) fn is_untouched(&self, since: u64, things: &[Invalidation]) -> bool {
        let mut all = things.iter().copied().chain([Invalidation::Everything]);
        all.all(|thing| self.slot(thing).load(SeqCst) <= since)
    }

    fn slot(&self, touch: Invalidation) -> &AtomicU64 {
        if touch == Invalidation::Everything {
            return &self.everything;
        }
        let place = self.hasher.hash_one(touch) % SLOTS as u64;
        // Never too large: SLOTS is a usize.
        self.slots.get(usize::try_from(place).unwrap_or_default()).unwrap_or(&self.everything)
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
    fn a_touch_reaches_what_was_looked_up_before_it_and_nothing_else() {
        let touched = InvalidationLog::default();
        let (mine, theirs) = (
            Invalidation::Session(SessionId::new(Clock::System.now())),
            Invalidation::Org(OrgId::new(Clock::System.now())),
        );
        let before = touched.now();
        assert!(touched.is_untouched(before, &[mine, theirs]));
        touched.note(mine);
        assert!(!touched.is_untouched(before, &[mine]) && !touched.is_untouched(before, &[theirs, mine]));
        assert!(touched.is_untouched(before, &[theirs]) && touched.is_untouched(touched.now(), &[mine]));
        touched.note(Invalidation::Everything);
        assert!(!touched.is_untouched(before, &[theirs]) && touched.is_untouched(touched.now(), &[theirs]));
    }
}
