//! Stores the buckets of one class: one for each key, or a shared one when there are too many keys.

use std::hash::{BuildHasher, RandomState};

use governor::{
    nanos::Nanos,
    state::{
        InMemoryState, NotKeyed, StateStore,
        keyed::{DefaultKeyedStateStore, ShrinkableKeyedStateStore},
    },
};

/// Maximum number of keys with their own bucket. Threads that add the last one at the same time may exceed it.
pub(super) const MAX_KEYS: usize = 100_000;

/// Number of buckets that the later keys share. Clients cannot find out which one they use. An attacker with many IP
/// addresses can empty them all, but clients that came before are not affected.
pub(super) const SHARED: usize = 1_024;

pub(super) struct Store {
    own: DefaultKeyedStateStore<String>,
    shared: Box<[InMemoryState]>,
    hasher: RandomState,
}

impl Default for Store {
    fn default() -> Self {
        let shared = (0..SHARED).map(|_| InMemoryState::default()).collect();
        Self { own: DefaultKeyedStateStore::default(), shared, hasher: RandomState::new() }
    }
}

impl StateStore for Store {
    type Key = String;

    fn measure_and_replace<T, F, E>(&self, key: &String, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if self.own.contains_key(key) || self.own.len() < MAX_KEYS {
            return self.own.measure_and_replace(key, f);
        }
        // Less than `SHARED`, so it fits and is a valid index.
        let at = usize::try_from(self.hasher.hash_one(key) % SHARED as u64).unwrap_or_default();
        self.shared[at].measure_and_replace(&NotKeyed::NonKey, f)
    }
}

/// Shared buckets are kept, because their number does not grow.
impl ShrinkableKeyedStateStore<String> for Store {
    fn retain_recent(&self, drop_below: Nanos) {
        self.own.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.own.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.own.len()
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty()
    }
}
