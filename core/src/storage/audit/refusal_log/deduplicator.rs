//! Limits how many similar events are recorded. This module is pure: the caller passes the current instant.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    time::{Duration, Instant},
};

/// How long similar events are only counted after the first one was recorded.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Maximum number of different keys. Events with further keys are counted together.
const MAX_KEYS: usize = 10_000;

/// Decides which events are recorded at once and which are counted.
pub(super) struct Deduplicator<K, V>(HashMap<Option<K>, Window<V>>);

/// A window begins with the first event of a key, and ends at the first [`Deduplicator::take_expired`] after
/// [`WINDOW`].
pub(super) struct Window<V> {
    since: Instant,
    /// What the events have in common; `None` if they have too many different keys.
    pub(super) about: Option<V>,
    /// Number of events that were not recorded.
    pub(super) count: u64,
}

impl<K, V> Default for Deduplicator<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash, V> Deduplicator<K, V> {
    /// Should an event be recorded at once? It is counted until [`Deduplicator::recorded`] is called.
    pub(super) fn admits(&mut self, key: &K, now: Instant, about: impl FnOnce() -> V) -> bool {
        let known = Some(key.clone());
        let key = known.filter(|_| self.0.len() < MAX_KEYS || self.0.contains_key(&Some(key.clone())));
        let is_known = key.is_some();
        match self.0.entry(key) {
            Entry::Occupied(mut window) => {
                window.get_mut().count += 1;
                false
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Window { since: now, about: is_known.then(about), count: 1 });
                is_known
            }
        }
    }

    /// An event of `key` was recorded, so it is no longer counted.
    pub(super) fn recorded(&mut self, key: &K) {
        if let Some(window) = self.0.get_mut(&Some(key.clone())) {
            window.count = window.count.saturating_sub(1);
        }
    }

    /// Removes the windows that are over at `now`, and returns those with counted events.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<(Option<K>, Window<V>)> {
        let expired = self.0.extract_if(|_, window| now.saturating_duration_since(window.since) >= WINDOW);
        expired.filter(|(_, window)| window.count > 0).collect()
    }

    /// Restores a count that could not be recorded.
    pub(super) fn restore(&mut self, key: Option<K>, window: Window<V>) {
        match self.0.entry(key) {
            Entry::Occupied(mut newer) => newer.get_mut().count += window.count,
            Entry::Vacant(vacant) => drop(vacant.insert(window)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows that are over at `now`, with what they are about and their counts.
    fn take_expired(deduplicator: &mut Deduplicator<u32, u32>, now: Instant) -> Vec<(Option<u32>, u64)> {
        let expired = deduplicator.take_expired(now).into_iter();
        let mut expired: Vec<_> = expired.map(|(_, window)| (window.about, window.count)).collect();
        expired.sort_unstable();
        expired
    }

    /// An event that is recorded immediately if it is admitted.
    fn event(deduplicator: &mut Deduplicator<u32, u32>, key: u32, now: Instant) -> bool {
        let is_recorded = deduplicator.admits(&key, now, || key);
        if is_recorded {
            deduplicator.recorded(&key);
        }
        is_recorded
    }

    #[test]
    fn the_first_event_of_a_minute_is_recorded_and_the_others_are_counted() {
        let (mut deduplicator, start) = (Deduplicator::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(event(&mut deduplicator, 7, start) && event(&mut deduplicator, 8, start));
        for second in 0..49 {
            assert!(!event(&mut deduplicator, 7, at(second)));
        }
        assert_eq!(take_expired(&mut deduplicator, at(59)), []);
        // The window lasts until the next call.
        assert!(!event(&mut deduplicator, 7, at(61)));
        assert_eq!(
            take_expired(&mut deduplicator, at(62)),
            [(Some(7), 50)],
            "the other key has no counted events"
        );
        assert!(event(&mut deduplicator, 7, at(63)) && event(&mut deduplicator, 8, at(63)));
        assert_eq!(take_expired(&mut deduplicator, at(200)), []);
        assert!(deduplicator.0.is_empty());
    }

    #[test]
    fn events_that_could_not_be_recorded_are_counted() {
        let (mut deduplicator, start) = (Deduplicator::default(), Instant::now());
        assert!(deduplicator.admits(&7, start, || 7) && !deduplicator.admits(&7, start, || 7));
        let later = start + WINDOW;
        let (key, window) = deduplicator.take_expired(later).pop().unwrap();
        assert_eq!(window.count, 2);
        // Another event was recorded in the meantime.
        assert!(event(&mut deduplicator, 7, later));
        deduplicator.restore(key, window);
        assert_eq!(take_expired(&mut deduplicator, later + WINDOW), [(Some(7), 2)]);
        deduplicator.restore(Some(9), Window { since: start, about: Some(9), count: 3 });
        assert_eq!(take_expired(&mut deduplicator, later), [(Some(9), 3)], "its window is over");
    }

    #[test]
    fn events_with_too_many_keys_are_counted_together() {
        let (mut deduplicator, start) = (Deduplicator::default(), Instant::now());
        let most = u32::try_from(MAX_KEYS).unwrap();
        assert!((0..most).all(|key| event(&mut deduplicator, key, start)));
        assert!((most..most + 500).all(|key| !event(&mut deduplicator, key, start)));
        assert!(!event(&mut deduplicator, 3, start), "known keys have their own count");
        assert_eq!(deduplicator.0.len(), MAX_KEYS + 1);
        assert_eq!(take_expired(&mut deduplicator, start + WINDOW), [(None, 500), (Some(3), 1)]);
        assert!(deduplicator.0.is_empty() && event(&mut deduplicator, most, start + WINDOW));
    }
}
