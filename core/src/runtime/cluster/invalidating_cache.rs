//! Answers of the database kept for a moment.

use std::{
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::sync::Cache;

use super::{Cluster, Invalidation};

/// Most answers of one kind kept at a time.
const MOST: u64 = 10_000;

/// Answers of the database, each kept until something that it depends on is touched, and for `ttl` at most.
///
/// An answer is good if nothing was touched since *before* it was looked up, so a look-up that races with a change can
/// never bring back what the change ended.
pub struct InvalidatingCache<K, V> {
    answers: Cache<K, Arc<Answer<V>>>,
    ttl: Duration,
    cluster: Cluster,
}

struct Answer<V> {
    value: V,
    asked: CacheLookup,
    depends_on: Box<[Invalidation]>,
}

/// When a look-up began.
#[derive(Clone, Copy, Debug)]
pub struct CacheLookup {
    moment: u64,
    at: Instant,
}

impl<K, V> InvalidatingCache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `ttl`: how long an answer may be wrong when nobody tells this process; zero remembers nothing.
    pub fn new(cluster: &Cluster, ttl: Duration) -> Self {
        let answers = Cache::builder().max_capacity(MOST).time_to_live(ttl).build();
        Self { answers, ttl, cluster: cluster.clone() }
    }

    /// The answer, where there is a good one.
    pub fn get(&self, key: &K) -> Option<V> {
        let answer = self.answers.get(key)?;
        let is_young = answer.asked.at.elapsed() < self.ttl;
        let is_good = is_young && self.cluster.touched.is_untouched(answer.asked.moment, &answer.depends_on);
        is_good.then(|| answer.value.clone())
    }

    /// To be called before a look-up whose answer is to be kept.
    pub fn begin_lookup(&self) -> CacheLookup {
        CacheLookup { moment: self.cluster.touched.now(), at: Instant::now() }
    }

    /// Keeps an answer until one of the things that it `depends_on` is touched.
    pub fn insert(&self, key: K, value: V, asked: CacheLookup, depends_on: &[Invalidation]) {
        if !self.ttl.is_zero() {
            self.answers.insert(key, Arc::new(Answer { value, asked, depends_on: depends_on.into() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{clock::Clock, ids::UserId};

    const LONG: Duration = Duration::from_secs(3600);

    fn somebody() -> Invalidation {
        Invalidation::User(UserId::new(Clock::System.now()))
    }

    #[test]
    fn an_answer_is_kept_until_what_it_depends_on_is_touched() {
        let cluster = Cluster::default();
        let remembered = InvalidatingCache::new(&cluster, LONG);
        let (ada, eve) = (somebody(), somebody());
        remembered.insert("ada", 1, remembered.begin_lookup(), &[ada]);
        remembered.insert("eve", 2, remembered.begin_lookup(), &[eve]);
        cluster.publish(&[ada]);
        assert_eq!((remembered.get(&"ada"), remembered.get(&"eve")), (None, Some(2)));
        remembered.insert("ada", 3, remembered.begin_lookup(), &[ada]);
        assert_eq!(remembered.get(&"ada"), Some(3));
        cluster.publish(&[Invalidation::Everything]);
        assert_eq!((remembered.get(&"ada"), remembered.get(&"eve")), (None, None));
    }

    #[test]
    fn a_look_up_that_began_before_a_change_brings_nothing_back() {
        let cluster = Cluster::default();
        let remembered = InvalidatingCache::new(&cluster, LONG);
        let ada = somebody();
        let asked = remembered.begin_lookup();
        cluster.publish(&[ada]);
        remembered.insert("ada", "as she was", asked, &[ada]);
        assert_eq!(remembered.get(&"ada"), None);
    }

    #[test]
    fn an_answer_ages_from_its_question_on_and_no_time_is_none() {
        let cluster = Cluster::default();
        for ttl in [Duration::ZERO, Duration::from_secs(1)] {
            let remembered = InvalidatingCache::new(&cluster, ttl);
            let asked =
                CacheLookup { at: Instant::now() - Duration::from_secs(1), ..remembered.begin_lookup() };
            remembered.insert("old", 1, asked, &[]);
            assert_eq!(remembered.get(&"old"), None);
        }
    }
}
