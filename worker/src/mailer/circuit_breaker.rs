//! A circuit breaker for the mail server (or the folder). During an outage, e-mails wait and use no attempts.
//!
//! An e-mail that failed by itself (rejected recipient, rejected content) waits by its own schedule. During an outage,
//! that schedule would delay e-mails long after the server works again. So the breaker opens at once, and tries one
//! e-mail at a time, at least every 30 seconds. The first e-mail that reaches the server closes the breaker. Then each
//! round can send twice as many e-mails as the one before, so that a restarted server is not overloaded.
//!
//! Each process has its own breaker and learns from its own e-mails.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Duration of the first pause. Each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Maximum duration of a pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// At this number of concurrent e-mails, only connections and jobs limit sending.
const UNBOUNDED: usize = 128;

/// Limits how many e-mails are tried at the same time.
pub(crate) struct CircuitBreaker(Mutex<State>);

struct State {
    /// Maximum concurrent e-mails; [`UNBOUNDED`] without an outage.
    allowed: usize,
    /// E-mails in progress.
    busy: usize,
    /// End of the pause; `None` without an outage.
    until: Option<Instant>,
    /// Duration of the last pause.
    pause: Duration,
}

/// The permission to try one e-mail. Dropping it frees the place.
pub(crate) struct BreakerPermit(Arc<CircuitBreaker>);

impl Drop for BreakerPermit {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy = state.busy.saturating_sub(1);
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self(Mutex::new(State { allowed: UNBOUNDED, busy: 0, until: None, pause: Duration::ZERO }))
    }
}

impl CircuitBreaker {
    /// Returns a permit, or `None` during a pause or at the limit.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant) -> Option<BreakerPermit> {
        let mut state = self.state();
        (state.room(now) > 0).then(|| {
            state.busy += 1;
            BreakerPermit(Arc::clone(self))
        })
    }

    /// How many more e-mails can be tried now; `None`: no limit.
    pub(crate) fn room(&self, now: Instant) -> Option<usize> {
        let state = self.state();
        (state.allowed < UNBOUNDED).then(|| state.room(now))
    }

    /// Records that the server accepted or rejected an e-mail, so it works. Returns whether an outage ended.
    pub(crate) fn reached(&self) -> bool {
        let mut state = self.state();
        let has_ended = state.until.take().is_some();
        state.pause = Duration::ZERO;
        state.allowed = (state.allowed + 1).min(UNBOUNDED);
        has_ended
    }

    /// Records that the server could not be used. Returns the remaining pause, and whether an outage began.
    pub(crate) fn unreachable(&self, now: Instant) -> (Duration, bool) {
        let mut state = self.state();
        let has_begun = state.until.is_none();
        match state.until {
            // Concurrent e-mails fail together with the one that started the pause.
            Some(until) if now < until => {}
            _ => {
                state.pause = (state.pause * 2).clamp(FIRST_PAUSE, MAX_PAUSE);
                state.until = Some(now + state.pause);
            }
        }
        state.allowed = 1;
        (state.until.map_or(state.pause, |until| until - now), has_begun)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn room(&self, now: Instant) -> usize {
        match self.until {
            Some(until) if now < until => 0,
            _ if self.allowed == UNBOUNDED => usize::MAX,
            _ => self.allowed.saturating_sub(self.busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn during_an_outage_one_email_at_a_time_is_tried_with_growing_pauses() {
        let (breaker, start) = (Arc::<CircuitBreaker>::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        // Many concurrent failures start one pause.
        let permits: Vec<_> = (0..200).map_while(|_| breaker.enter(start)).collect();
        assert_eq!((permits.len(), breaker.room(start)), (200, None));
        for at in 0..200 {
            assert_eq!(breaker.unreachable(start), (FIRST_PAUSE, at == 0));
        }
        drop(permits);
        assert!(breaker.enter(start).is_none());
        // One e-mail after each pause of 1, 2, 4, … seconds, at most 30.
        let mut probes = Vec::new();
        for second in 0..=120 {
            if let Some(permit) = breaker.enter(after(second)) {
                assert!(breaker.enter(after(second)).is_none(), "one at a time");
                assert_eq!(breaker.room(after(second)), Some(0));
                breaker.unreachable(after(second));
                drop(permit);
                probes.push(second);
            }
        }
        assert_eq!(probes, [1, 3, 7, 15, 31, 61, 91]);
    }

    #[test]
    fn after_an_outage_each_round_sends_twice_as_many() {
        let (breaker, now) = (Arc::<CircuitBreaker>::default(), Instant::now());
        let (wait, _) = breaker.unreachable(now);
        let (mut rounds, now) = (Vec::new(), now + wait);
        while let Some(capacity) = breaker.room(now) {
            let permits: Vec<_> = (0..capacity).map_while(|_| breaker.enter(now)).collect();
            assert_eq!(permits.len(), capacity);
            assert!(breaker.enter(now).is_none());
            for (at, _) in permits.iter().enumerate() {
                assert_eq!(breaker.reached(), rounds.is_empty() && at == 0);
            }
            rounds.push(capacity);
        }
        assert_eq!(rounds, [1, 2, 4, 8, 16, 32, 64]);
        // The next outage starts with the first pause.
        assert_eq!(breaker.unreachable(now), (FIRST_PAUSE, true));
    }

    #[test]
    fn an_email_without_information_about_the_server_changes_nothing() {
        let (breaker, now) = (Arc::<CircuitBreaker>::default(), Instant::now());
        let (wait, _) = breaker.unreachable(now);
        for _ in 0..3 {
            drop(breaker.enter(now + wait).unwrap());
        }
        assert_eq!(breaker.room(now + wait), Some(1));
    }
}
