//! Wrong passwords: whoever goes on guessing waits, and longer each time. Never for more than a minute, so that nobody can shut
//! anybody out.
//!
//! What verifies a password takes an [`Attempt`], which [`Guesses::attempt`] alone makes: none can be verified without being
//! counted. Attempts at one account run one after the other, so that each is judged by those before it.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{Instant, timeout},
};

use crate::{
    Error, Result,
    base::{
        crypto::{KeyPurpose, MacKey, MasterKey, hex},
        rate::Rate,
    },
    runtime::cluster::RedisRateLimiter,
};

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// How long an attempt waits for those before it at the same account.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most accounts of which wrong ones are remembered in this process; of those that were tried longest ago they are forgotten.
const MOST: u64 = 100_000;

/// What was guessed wrong. One of a process.
pub struct LoginThrottle {
    /// For names: they are not stored as they were typed.
    key: MacKey<32>,
    /// How many may be wrong before anybody waits, and for how long they are remembered after the last one.
    free: Rate,
    here: Cache<String, Wrong>,
    /// Held by the attempt that runs.
    turns: Cache<String, Arc<Mutex<()>>>,
    counters: Option<RedisRateLimiter>,
}

/// The permission to verify one password of one account, once. No other attempt of this process at that account runs
/// meanwhile. Dropped without a verdict, it counts for nothing.
#[must_use]
pub(crate) struct LoginAttempt<'a> {
    guesses: &'a LoginThrottle,
    account: String,
    _turn: OwnedMutexGuard<()>,
}

impl LoginAttempt<'_> {
    /// It was wrong.
    pub(crate) async fn record_failure(self) {
        self.guesses.wrong(&self.account).await;
    }

    /// It was right: what was wrong before is forgotten.
    pub(crate) async fn record_success(self) {
        self.guesses.right(&self.account).await;
    }
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

impl LoginThrottle {
    /// `free`: how many may be wrong, and for how long they are remembered. `counters`: where the processes remember together.
    pub fn new(master: &MasterKey, free: Rate, counters: Option<RedisRateLimiter>) -> Self {
        let here = Cache::builder().max_capacity(MOST).time_to_live(free.per).build();
        let turns = Cache::builder().max_capacity(MOST).time_to_idle(LONGEST).build();
        Self { key: MacKey::derive(master, KeyPurpose::Limit), free, here, turns, counters }
    }

    /// What stands for the account of this canonical name, whether there is one or not.
    pub(crate) fn unknown_account_key(&self, name: &str) -> String {
        hex(&self.key.tag(name.as_bytes())[..16])
    }

    /// Waits for the attempts at `account` that run, then gives the permission for one more.
    ///
    /// # Errors
    /// `RATE_LIMITED` after too many wrong ones; `Unavailable` when its turn does not come in 2 s.
    pub(crate) async fn attempt(&self, account: String) -> Result<LoginAttempt<'_>> {
        let turn = self.turns.get_with_by_ref(&account, Arc::default);
        let Ok(turn) = timeout(PATIENCE, turn.lock_owned()).await else {
            return Err(Error::Unavailable { retry_after: PATIENCE });
        };
        match self.wait(&account).await {
            Some(retry_after) => Err(Error::Limited { retry_after }),
            None => Ok(LoginAttempt { guesses: self, account, _turn: turn }),
        }
    }

    /// How long whoever guesses at `account` has still to wait; `None`: he may guess.
    async fn wait(&self, account: &str) -> Option<Duration> {
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
    async fn wrong(&self, account: &str) {
        let before = self.here.get(account).map_or(0, |wrong| wrong.times);
        self.here.insert(account.to_owned(), Wrong { times: before.saturating_add(1), last: Instant::now() });
        if let Some(counters) = &self.counters {
            counters.guessed_wrong(account, self.free.per).await;
        }
    }

    /// Forgets what was wrong: it was right at last.
    async fn right(&self, account: &str) {
        let was_wrong = self.here.remove(account).is_some();
        if let Some(counters) = self.counters.as_ref().filter(|_| was_wrong) {
            counters.guessed_right(account).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guesses() -> LoginThrottle {
        LoginThrottle::new(&MasterKey::new("k".repeat(32)), Rate::parse("5/15min").unwrap(), None)
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let seconds: Vec<_> = (0..14).map(|times| wait_after(times, 5).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait_after(u32::MAX, 5), LONGEST);
    }

    async fn refused(guesses: &LoginThrottle, account: &str) -> Option<Duration> {
        match guesses.attempt(account.to_owned()).await {
            Ok(_) => None,
            Err(Error::Limited { retry_after }) => Some(retry_after),
            Err(error) => panic!("{error}"),
        }
    }

    async fn guess_wrong(guesses: &LoginThrottle, account: &str) {
        guesses.attempt(account.to_owned()).await.unwrap().record_failure().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_sixth_guess_waits_and_the_right_one_ends_it() {
        let guesses = guesses();
        for _ in 0..5 {
            assert_eq!(refused(&guesses, "ada").await, None);
            guess_wrong(&guesses, "ada").await;
        }
        assert_eq!(refused(&guesses, "ada").await, Some(Duration::from_secs(1)));
        assert_eq!(refused(&guesses, "eve").await, None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(refused(&guesses, "ada").await, None, "never for ever");
        guess_wrong(&guesses, "ada").await;
        assert_eq!(refused(&guesses, "ada").await, Some(Duration::from_secs(2)));
        tokio::time::advance(Duration::from_secs(2)).await;
        guesses.attempt("ada".to_owned()).await.unwrap().record_success().await;
        assert_eq!(refused(&guesses, "ada").await, None);
        guess_wrong(&guesses, "ada").await;
        assert_eq!(refused(&guesses, "ada").await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_at_once_are_judged_one_after_the_other() {
        let guesses = guesses();
        let guess = async || match guesses.attempt("ada".to_owned()).await {
            Ok(attempt) => {
                // As long as a hash takes.
                tokio::time::sleep(Duration::from_millis(25)).await;
                attempt.record_failure().await;
                true
            }
            Err(_) => false,
        };
        let outcomes = futures_util::future::join_all((0..60).map(|_| guess())).await;
        assert_eq!(outcomes.iter().filter(|was_tried| **was_tried).count(), 5);

        let held = guesses.attempt("eve".to_owned()).await.unwrap();
        let late = guesses.attempt("eve".to_owned()).await;
        assert!(matches!(late, Err(Error::Unavailable { .. })), "who waits for ever holds a connection");
        drop(held);
        assert_eq!(refused(&guesses, "eve").await, None);
    }
}
