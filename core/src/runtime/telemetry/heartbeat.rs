//! Detects that the loop of all background work hangs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// A loop that does not beat for this long hangs. Each iteration is bounded, and none takes half as long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A heartbeat: one loop beats at each iteration, and a probe asks for it. Cheap to clone; all clones share one state.
///
/// It shows that the loop runs, not that it succeeds. A process must not be restarted because its database is
/// unavailable.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    created: Instant,
    /// Milliseconds from `created` to the last beat, plus one; 0 before the first beat.
    last: Arc<AtomicU64>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { created: Instant::now(), last: Arc::default() }
    }
}

impl Heartbeat {
    /// Records that the loop runs.
    pub fn beat(&self) {
        self.last.store(self.age(), Relaxed);
    }

    /// Was the last beat less than 30 s ago? Also true before the first beat, because a process that waits for
    /// migrations is healthy.
    pub fn is_beating(&self) -> bool {
        let last = self.last.load(Relaxed);
        last == 0 || u128::from(self.age().saturating_sub(last)) < TIMEOUT.as_millis()
    }

    fn age(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_beats_until_30_seconds_after_the_last_beat() {
        let Some(created) = Instant::now().checked_sub(2 * TIMEOUT) else { return };
        let heartbeat = Heartbeat { created, ..Heartbeat::default() };
        assert!(heartbeat.is_beating(), "before the first beat");
        heartbeat.last.store(1, Relaxed);
        assert!(!heartbeat.is_beating(), "no beat for longer than the timeout");
        heartbeat.clone().beat();
        assert!(heartbeat.is_beating());
        let almost = heartbeat.age() - u64::try_from(TIMEOUT.as_millis()).unwrap();
        heartbeat.last.store(almost, Relaxed);
        assert!(!heartbeat.is_beating());
        heartbeat.last.store(almost + 5_000, Relaxed);
        assert!(heartbeat.is_beating());
    }
}
