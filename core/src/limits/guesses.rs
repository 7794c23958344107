//! Wrong passwords: whoever goes on guessing waits, and longer each time. Never for more than a minute, so that nobody can shut
//! anybody out.

use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;

use crate::{
    cluster::Counters,
    quota::Quota,
    secret::{MacKey, MasterKey, Purpose, hex},
};

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// Most accounts of which wrong ones are remembered in this process; of those that were tried longest ago they are forgotten.
const MOST: u64 = 100_000;

/// What was guessed wrong. One of a process.
pub struct Guesses {
    /// For names that are nobody's: they are not stored as they were typed.
    key: MacKey<32>,
    /// How many may be wrong before anybody waits, and for how long they are remembered after the last one.
    free: Quota,
    here: Cache<String, Wrong>,
    counters: Option<Counters>,
}

#[derive(Clone, Copy)]
struct Wrong {
    times: u32,
    last: Instant,
}

/// How long to wait after so many wrong ones, of which `free` are free: 1, 2, 4 seconds and so on.
fn wait_after(times: u32, free: u32) -> Duration {
    let doublings = times.checked_sub(free).map(|more| more.min(6));
    doublings.map_or(Duration::ZERO, |doublings| Duration::from_secs(1 << doublings).min(LONGEST))
}

impl Guesses {
    /// `free`: how many may be wrong, and for how long they are remembered. `counters`: where the processes remember together.
    pub fn new(master: &MasterKey, free: Quota, counters: Option<Counters>) -> Self {
        let here = Cache::builder().max_capacity(MOST).time_to_live(free.per).build();
        Self { key: MacKey::derive(master, Purpose::Limit), free, here, counters }
    }

    /// What stands for a name that is nobody's.
    pub(crate) fn nobody(&self, name: &str) -> String {
        hex(&self.key.tag(name.as_bytes())[..16])
    }

    /// How long whoever guesses at `account` has still to wait; `None`: he may guess.
    pub(crate) async fn wait(&self, account: &str) -> Option<Duration> {
        let here = self.here.get(account).map(|wrong| {
            (wrong.last + wait_after(wrong.times, self.free.count)).saturating_duration_since(Instant::now())
        });
        let everywhere = match &self.counters {
            Some(counters) => counters.guessing(account, self.free.count).await,
            None => None,
        };
        here.max(everywhere).filter(|wait| !wait.is_zero())
    }

    /// Notes that it was wrong.
    pub(crate) async fn wrong(&self, account: &str) {
        let before = self.here.get(account).map_or(0, |wrong| wrong.times);
        self.here.insert(account.to_owned(), Wrong { times: before.saturating_add(1), last: Instant::now() });
        if let Some(counters) = &self.counters {
            counters.guessed_wrong(account, self.free.per).await;
        }
    }

    /// Forgets what was wrong: it was right at last.
    pub(crate) async fn right(&self, account: &str) {
        let was_wrong = self.here.remove(account).is_some();
        if let Some(counters) = self.counters.as_ref().filter(|_| was_wrong) {
            counters.guessed_right(account).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guesses() -> Guesses {
        Guesses::new(&MasterKey::new("k".repeat(32)), Quota::parse("5/15min").unwrap(), None)
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let seconds: Vec<_> = (0..14).map(|times| wait_after(times, 5).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait_after(u32::MAX, 5), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn the_sixth_guess_waits_and_the_right_one_ends_it() {
        let guesses = guesses();
        for _ in 0..5 {
            assert_eq!(guesses.wait("ada").await, None);
            guesses.wrong("ada").await;
        }
        assert_eq!(guesses.wait("ada").await, Some(Duration::from_secs(1)));
        assert_eq!(guesses.wait("eve").await, None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(guesses.wait("ada").await, None, "never for ever");
        guesses.wrong("ada").await;
        assert_eq!(guesses.wait("ada").await, Some(Duration::from_secs(2)));
        guesses.right("ada").await;
        assert_eq!(guesses.wait("ada").await, None);
    }
}
