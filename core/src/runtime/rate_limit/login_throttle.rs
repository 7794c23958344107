//! Slows down password guessing: after too many failed logins of an account, each further attempt must wait, and longer
//! each time. The wait is at most a minute, so that an attacker cannot lock users out.
//!
//! Code that verifies a password needs a [`LoginAttempt`], which only [`LoginThrottle::attempt`] creates, so that every
//! attempt is counted. Attempts at one account run one after the other, so that earlier ones count for later ones.

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

/// Maximum wait after a failed login.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// How long an attempt waits for earlier attempts at the same account.
const TURN_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum number of accounts whose failures this process remembers. The least recently used ones are evicted.
const MAX_ACCOUNTS: u64 = 100_000;

/// Counts failed logins. There is one in each process.
pub struct LoginThrottle {
    /// Hashes account names, which are not stored in plain text.
    key: MacKey<32>,
    /// The number of failures without a wait, and how long they are remembered after the last one.
    free: Rate,
    local: Cache<String, Failures>,
    /// The attempt that runs holds the lock.
    running: Cache<String, Arc<Mutex<()>>>,
    counters: Option<RedisRateLimiter>,
}

/// Permission to verify one password of one account, once. No other attempt at that account runs in this process at the
/// same time. An attempt that is dropped without a result is not counted.
#[must_use]
pub(crate) struct LoginAttempt<'a> {
    throttle: &'a LoginThrottle,
    account: String,
    _turn: OwnedMutexGuard<()>,
}

impl LoginAttempt<'_> {
    /// The password was wrong.
    pub(crate) async fn record_failure(self) {
        self.throttle.record_failure(&self.account).await;
    }

    /// The password was right, so earlier failures are reset.
    pub(crate) async fn record_success(self) {
        self.throttle.record_success(&self.account).await;
    }
}

#[derive(Clone, Copy)]
struct Failures {
    times: u32,
    last: Instant,
}

/// The wait after `times` failures, of which `free` have no wait: 1, 2, 4 seconds and so on.
fn wait_after(times: u32, free: u32) -> Duration {
    let doublings = times.checked_sub(free).map(|more| more.min(6));
    doublings.map_or(Duration::ZERO, |doublings| Duration::from_secs(1 << doublings).min(MAX_WAIT))
}

impl LoginThrottle {
    /// `free`: the number of failures without a wait, and how long they are remembered. `counters`: the counters that
    /// all processes share.
    pub fn new(master: &MasterKey, free: Rate, counters: Option<RedisRateLimiter>) -> Self {
        let local = Cache::builder().max_capacity(MAX_ACCOUNTS).time_to_live(free.per).build();
        let running = Cache::builder().max_capacity(MAX_ACCOUNTS).time_to_idle(MAX_WAIT).build();
        Self { key: MacKey::derive(master, KeyPurpose::Limit), free, local, running, counters }
    }

    /// The key of the account with this canonical name, whether such an account exists or not.
    pub(crate) fn unknown_account_key(&self, name: &str) -> String {
        hex(&self.key.tag(name.as_bytes())[..16])
    }

    /// Waits for running attempts at `account`, then permits one more.
    ///
    /// # Errors
    /// `RATE_LIMITED` after too many failures; `Unavailable` if earlier attempts take longer than 2 s.
    pub(crate) async fn attempt(&self, account: String) -> Result<LoginAttempt<'_>> {
        let turn = self.running.get_with_by_ref(&account, Arc::default);
        let Ok(turn) = timeout(TURN_TIMEOUT, turn.lock_owned()).await else {
            return Err(Error::Unavailable { retry_after: TURN_TIMEOUT });
        };
        match self.retry_after(&account).await {
            Some(retry_after) => Err(Error::Limited { retry_after }),
            None => Ok(LoginAttempt { throttle: self, account, _turn: turn }),
        }
    }

    /// How long the next attempt at `account` must wait; `None` if it may run now.
    async fn retry_after(&self, account: &str) -> Option<Duration> {
        let local = self.local.get(account).map(|failures| {
            (failures.last + wait_after(failures.times, self.free.count))
                .saturating_duration_since(Instant::now())
        });
        let shared = match &self.counters {
            Some(counters) => counters.login_wait(account, self.free.count).await,
            None => None,
        };
        local.max(shared).filter(|wait| !wait.is_zero())
    }

    /// Counts a failure.
    async fn record_failure(&self, account: &str) {
        let before = self.local.get(account).map_or(0, |failures| failures.times);
        self.local
            .insert(account.to_owned(), Failures { times: before.saturating_add(1), last: Instant::now() });
        if let Some(counters) = &self.counters {
            counters.record_failed_login(account, self.free.per).await;
        }
    }

    /// Resets the failures.
    async fn record_success(&self, account: &str) {
        let had_failures = self.local.remove(account).is_some();
        if let Some(counters) = self.counters.as_ref().filter(|_| had_failures) {
            counters.clear_failed_logins(account).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> LoginThrottle {
        LoginThrottle::new(&MasterKey::new("k".repeat(32)), Rate::parse("5/15min").unwrap(), None)
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let seconds: Vec<_> = (0..14).map(|times| wait_after(times, 5).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait_after(u32::MAX, 5), MAX_WAIT);
    }

    async fn retry_after_of(throttle: &LoginThrottle, account: &str) -> Option<Duration> {
        match throttle.attempt(account.to_owned()).await {
            Ok(_) => None,
            Err(Error::Limited { retry_after }) => Some(retry_after),
            Err(error) => panic!("{error}"),
        }
    }

    async fn fail(throttle: &LoginThrottle, account: &str) {
        throttle.attempt(account.to_owned()).await.unwrap().record_failure().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_sixth_attempt_waits_and_a_success_resets_the_failures() {
        let throttle = throttle();
        for _ in 0..5 {
            assert_eq!(retry_after_of(&throttle, "ada").await, None);
            fail(&throttle, "ada").await;
        }
        assert_eq!(retry_after_of(&throttle, "ada").await, Some(Duration::from_secs(1)));
        assert_eq!(retry_after_of(&throttle, "eve").await, None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(retry_after_of(&throttle, "ada").await, None, "the wait ends");
        fail(&throttle, "ada").await;
        assert_eq!(retry_after_of(&throttle, "ada").await, Some(Duration::from_secs(2)));
        tokio::time::advance(Duration::from_secs(2)).await;
        throttle.attempt("ada".to_owned()).await.unwrap().record_success().await;
        assert_eq!(retry_after_of(&throttle, "ada").await, None);
        fail(&throttle, "ada").await;
        assert_eq!(retry_after_of(&throttle, "ada").await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn simultaneous_attempts_run_one_after_the_other() {
        let throttle = throttle();
        let guess = async || match throttle.attempt("ada".to_owned()).await {
            Ok(attempt) => {
                // About as long as a password hash takes.
                tokio::time::sleep(Duration::from_millis(25)).await;
                attempt.record_failure().await;
                true
            }
            Err(_) => false,
        };
        let outcomes = futures_util::future::join_all((0..60).map(|_| guess())).await;
        assert_eq!(outcomes.iter().filter(|was_tried| **was_tried).count(), 5);

        let held = throttle.attempt("eve".to_owned()).await.unwrap();
        let late = throttle.attempt("eve".to_owned()).await;
        assert!(
            matches!(late, Err(Error::Unavailable { .. })),
            "an attempt that waits forever would hold a connection"
        );
        drop(held);
        assert_eq!(retry_after_of(&throttle, "eve").await, None);
    }
}
