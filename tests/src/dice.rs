//! Chance that repeats itself: the same seed, the same throws.

use std::time::Duration;

/// `SplitMix64`: small, and good enough to choose what breaks next.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Those of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// 0 up to and without `sides`.
    pub fn throw(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    /// One of them.
    pub fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        let place = self.throw(things.len() as u64);
        things[usize::try_from(place).unwrap_or_default()]
    }

    /// Puts things into an order of chance (Fisher and Yates).
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let place = self.throw(last as u64 + 1);
            things.swap(last, usize::try_from(place).unwrap_or_default());
        }
    }

    /// Between so many milliseconds.
    pub fn between(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.throw(most - least))
    }
}
