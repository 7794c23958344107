//! How much is written of what is alike. Pure: the instant is given.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    time::{Duration, Instant},
};

/// How long what is alike is only counted after the first of it was written.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Most different things that are told apart at a time; what is more is counted together.
const MOST: usize = 10_000;

/// Says what is written at once and what is counted.
pub(super) struct Deduplicator<K, V>(HashMap<Option<K>, Window<V>>);

/// Begins with the first of what is alike, and lasts until somebody asks whether it is over.
pub(super) struct Window<V> {
    since: Instant,
    /// What they have in common; `None`: they are too many to be told apart.
    pub(super) about: Option<V>,
    /// How many are not written.
    pub(super) count: u64,
}

impl<K, V> Default for Deduplicator<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash, V> Deduplicator<K, V> {
    /// Is one more to be written at once? It counts until it is [`Cap::written`].
    pub(super) fn admits(&mut self, key: &K, now: Instant, about: impl FnOnce() -> V) -> bool {
        let known = Some(key.clone());
        let key = known.filter(|_| self.0.len() < MOST || self.0.contains_key(&Some(key.clone())));
        let is_known = key.is_some();
        match self.0.entry(key) {
            Entry::Occupied(mut window) => {
                window.get_mut().count += 1;
                false
            }
            Entry::Vacant(place) => {
                place.insert(Window { since: now, about: is_known.then(about), count: 1 });
                is_known
            }
        }
    }

    /// One of `key` was written, and counts no more.
    pub(super) fn written(&mut self, key: &K) {
        if let Some(window) = self.0.get_mut(&Some(key.clone())) {
            window.count = window.count.saturating_sub(1);
        }
    }

    /// Ends the windows that are over at `now`; gives those in which something was counted.
    pub(super) fn over(&mut self, now: Instant) -> Vec<(Option<K>, Window<V>)> {
        let over = self.0.extract_if(|_, window| now.saturating_duration_since(window.since) >= WINDOW);
        over.filter(|(_, window)| window.count > 0).collect()
    }

    /// Takes a count back that could not be written.
    pub(super) fn give_back(&mut self, key: Option<K>, window: Window<V>) {
        match self.0.entry(key) {
            Entry::Occupied(mut newer) => newer.get_mut().count += window.count,
            Entry::Vacant(place) => drop(place.insert(window)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is over at `now`: what it is about, and how often.
    fn over(cap: &mut Deduplicator<u32, u32>, now: Instant) -> Vec<(Option<u32>, u64)> {
        let over = cap.over(now).into_iter();
        let mut over: Vec<_> = over.map(|(_, window)| (window.about, window.count)).collect();
        over.sort_unstable();
        over
    }

    /// As who writes at once what is admitted.
    fn happens(cap: &mut Deduplicator<u32, u32>, key: u32, now: Instant) -> bool {
        let is_written = cap.admits(&key, now, || key);
        if is_written {
            cap.written(&key);
        }
        is_written
    }

    #[test]
    fn the_first_of_a_minute_is_written_and_the_others_are_counted() {
        let (mut cap, start) = (Deduplicator::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(happens(&mut cap, 7, start) && happens(&mut cap, 8, start));
        for second in 0..49 {
            assert!(!happens(&mut cap, 7, at(second)));
        }
        assert_eq!(over(&mut cap, at(59)), []);
        // Nobody asked yet: it lasts.
        assert!(!happens(&mut cap, 7, at(61)));
        assert_eq!(over(&mut cap, at(62)), [(Some(7), 50)], "of the other one there is nothing to tell");
        assert!(happens(&mut cap, 7, at(63)) && happens(&mut cap, 8, at(63)));
        assert_eq!(over(&mut cap, at(200)), []);
        assert!(cap.0.is_empty());
    }

    #[test]
    fn what_could_not_be_written_counts() {
        let (mut cap, start) = (Deduplicator::default(), Instant::now());
        assert!(cap.admits(&7, start, || 7) && !cap.admits(&7, start, || 7));
        let later = start + WINDOW;
        let (key, window) = cap.over(later).pop().unwrap();
        assert_eq!(window.count, 2);
        // Somebody else came meanwhile.
        assert!(happens(&mut cap, 7, later));
        cap.give_back(key, window);
        assert_eq!(over(&mut cap, later + WINDOW), [(Some(7), 2)]);
        cap.give_back(Some(9), Window { since: start, about: Some(9), count: 3 });
        assert_eq!(over(&mut cap, later), [(Some(9), 3)], "it is over already");
    }

    #[test]
    fn of_too_many_the_rest_is_counted_together() {
        let (mut cap, start) = (Deduplicator::default(), Instant::now());
        let most = u32::try_from(MOST).unwrap();
        assert!((0..most).all(|key| happens(&mut cap, key, start)));
        assert!((most..most + 500).all(|key| !happens(&mut cap, key, start)));
        assert!(!happens(&mut cap, 3, start), "who is known is counted by himself");
        assert_eq!(cap.0.len(), MOST + 1);
        assert_eq!(over(&mut cap, start + WINDOW), [(None, 500), (Some(3), 1)]);
        assert!(cap.0.is_empty() && happens(&mut cap, most, start + WINDOW));
    }
}
