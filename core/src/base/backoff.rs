//! The delay before something is tried again.

use std::time::Duration;

use crate::base::crypto::random_bytes;

/// A random duration from zero to `whole`.
pub fn random_part(whole: Duration) -> Duration {
    whole.mul_f64(f64::from(u16::from_le_bytes(random_bytes())) / f64::from(u16::MAX))
}

/// `wait` plus or minus up to 20 %, at random, so that tasks that failed together are not retried together.
pub fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.8) + random_part(wait.mul_f64(0.4))
}

/// The delay after `failures` failures in a row: `first` after one, twice as long after each further one, at most
/// `longest`, with a jitter of 20 %.
pub fn backoff(failures: u32, first: Duration, longest: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    jittered(first.saturating_mul(1 << doublings).min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_differ() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(4));
        for (failures, seconds) in [(0, 0.1), (1, 0.1), (2, 0.2), (6, 3.2), (7, 4.0), (u32::MAX, 4.0)] {
            let waits: Vec<_> = (0..50).map(|_| backoff(failures, first, longest).as_secs_f64()).collect();
            let (least, most) = (0.8 * seconds - 1e-9, 1.2 * seconds + 1e-9);
            assert!(waits.iter().all(|wait| (least..=most).contains(wait)), "{failures}: {waits:?}");
            assert!(waits.iter().any(|wait| (wait - waits[0]).abs() > f64::EPSILON), "{failures}");
        }
    }

    #[test]
    fn a_random_part_is_no_longer_than_the_whole() {
        let whole = Duration::from_secs(60);
        assert!((0..50).all(|_| random_part(whole) <= whole));
        assert_eq!(random_part(Duration::ZERO), Duration::ZERO);
    }
}
