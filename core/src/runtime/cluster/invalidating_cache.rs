//! A cache of database lookups.

use std::{
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::sync::Cache;

use super::{Cluster, Invalidation};

/// Maximum number of entries of one cache.
const MAX_ENTRIES: u64 = 10_000;

/// A cache of database lookups. An entry is valid for at most `ttl`, and until something that it depends on is
/// invalidated.
///
/// An entry is valid only if there was no invalidation since *before* its lookup. A lookup that races with a change can
/// therefore never restore the state before the change.
pub struct InvalidatingCache<K, V> {
    entries: Cache<K, Arc<CacheEntry<V>>>,
    ttl: Duration,
    cluster: Cluster,
}

struct CacheEntry<V> {
    value: V,
    lookup: CacheLookup,
    depends_on: Box<[Invalidation]>,
}

/// The start of a lookup.
#[derive(Clone, Copy, Debug)]
pub struct CacheLookup {
    sequence: u64,
    at: Instant,
}

impl<K, V> InvalidatingCache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `ttl`: how long an entry may be outdated when this process misses an invalidation; zero disables the cache.
    pub fn new(cluster: &Cluster, ttl: Duration) -> Self {
        let entries = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(ttl).build();
        Self { entries, ttl, cluster: cluster.clone() }
    }

    /// The value; `None` if there is no valid entry.
    pub fn get(&self, key: &K) -> Option<V> {
        let entry = self.entries.get(key)?;
        let is_young = entry.lookup.at.elapsed() < self.ttl;
        let is_valid =
            is_young && self.cluster.invalidation_log.is_unchanged(entry.lookup.sequence, &entry.depends_on);
        is_valid.then(|| entry.value.clone())
    }

    /// Call this before a lookup whose result is to be cached.
    pub fn begin_lookup(&self) -> CacheLookup {
        CacheLookup { sequence: self.cluster.invalidation_log.now(), at: Instant::now() }
    }

    /// Caches a value until something in `depends_on` is invalidated.
    pub fn insert(&self, key: K, value: V, lookup: CacheLookup, depends_on: &[Invalidation]) {
        if !self.ttl.is_zero() {
            self.entries.insert(key, Arc::new(CacheEntry { value, lookup, depends_on: depends_on.into() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{clock::Clock, ids::UserId};

    const LONG: Duration = Duration::from_secs(3600);

    fn some_user() -> Invalidation {
        Invalidation::User(UserId::new(Clock::System.now()))
    }

    #[test]
    fn an_entry_is_valid_until_its_dependency_is_invalidated() {
        let cluster = Cluster::default();
        let cache = InvalidatingCache::new(&cluster, LONG);
        let (ada, eve) = (some_user(), some_user());
        cache.insert("ada", 1, cache.begin_lookup(), &[ada]);
        cache.insert("eve", 2, cache.begin_lookup(), &[eve]);
        cluster.publish(&[ada]);
        assert_eq!((cache.get(&"ada"), cache.get(&"eve")), (None, Some(2)));
        cache.insert("ada", 3, cache.begin_lookup(), &[ada]);
        assert_eq!(cache.get(&"ada"), Some(3));
        cluster.publish(&[Invalidation::Everything]);
        assert_eq!((cache.get(&"ada"), cache.get(&"eve")), (None, None));
    }

    #[test]
    fn a_lookup_that_began_before_a_change_is_not_cached() {
        let cluster = Cluster::default();
        let cache = InvalidatingCache::new(&cluster, LONG);
        let ada = some_user();
        let lookup = cache.begin_lookup();
        cluster.publish(&[ada]);
        cache.insert("ada", "before the change", lookup, &[ada]);
        assert_eq!(cache.get(&"ada"), None);
    }

    #[test]
    fn entries_age_from_the_start_of_the_lookup_and_a_ttl_of_zero_disables_the_cache() {
        let cluster = Cluster::default();
        for ttl in [Duration::ZERO, Duration::from_secs(1)] {
            let cache = InvalidatingCache::new(&cluster, ttl);
            let lookup = CacheLookup { at: Instant::now() - Duration::from_secs(1), ..cache.begin_lookup() };
            cache.insert("old", 1, lookup, &[]);
            assert_eq!(cache.get(&"old"), None);
        }
    }
}
