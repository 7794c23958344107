//! Random numbers that a seed repeats.

use std::time::Duration;

/// A random number generator. The same seed gives the same numbers, as long as `fastrand` keeps its algorithm.
#[derive(Clone, Debug)]
pub struct TestRng(fastrand::Rng);

impl TestRng {
    /// A generator that starts at this seed.
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A number from 0 to `limit - 1`; panics when `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0.u64(..limit)
    }

    /// One of the items; panics when there are none.
    pub fn choose<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.0.usize(..items.len())]
    }

    /// Shuffles the items in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }

    /// A duration of at least `min` and less than `max` milliseconds; panics when `min` is not less than `max`.
    pub fn duration_between(&mut self, min: u64, max: u64) -> Duration {
        Duration::from_millis(self.0.u64(min..max))
    }
}
