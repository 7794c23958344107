//! Whether the loop that all background work hangs on still turns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// A loop that has not turned for so long hangs: each of its turns is bounded, and none takes half of this.
const LONGEST: Duration = Duration::from_secs(30);

/// A sign of life: one loop beats it at each turn, a probe asks for it. Cheap to clone; clones are one pulse.
///
/// It says that the loop turns, not that it succeeds: a process is not to be restarted because its database is away.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    made: Instant,
    /// Milliseconds after `made`, and one, of the last beat; 0: none yet.
    last: Arc<AtomicU64>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { made: Instant::now(), last: Arc::default() }
    }
}

impl Heartbeat {
    /// The loop turns.
    pub fn beat(&self) {
        self.last.store(self.age(), Relaxed);
    }

    /// Was the last beat less than 30 s ago? Yes, too, before the first one: what waits for migrations is not dead.
    pub fn is_beating(&self) -> bool {
        let last = self.last.load(Relaxed);
        last == 0 || u128::from(self.age().saturating_sub(last)) < LONGEST.as_millis()
    }

    fn age(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_beats_until_half_a_minute_after_the_last_beat() {
        let Some(made) = Instant::now().checked_sub(2 * LONGEST) else { return };
        let pulse = Heartbeat { made, ..Heartbeat::default() };
        assert!(pulse.is_beating(), "not begun");
        pulse.last.store(1, Relaxed);
        assert!(!pulse.is_beating(), "hangs since the beginning");
        pulse.clone().beat();
        assert!(pulse.is_beating());
        let almost = pulse.age() - u64::try_from(LONGEST.as_millis()).unwrap();
        pulse.last.store(almost, Relaxed);
        assert!(!pulse.is_beating());
        pulse.last.store(almost + 5_000, Relaxed);
        assert!(pulse.is_beating());
    }
}
