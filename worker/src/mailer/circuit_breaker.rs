//! A circuit breaker before the mail server (or the folder): while it cannot be used, mails wait and use up no attempt.
//!
//! A mail that failed on its own (refused recipient, refused content) waits by its own schedule. Where nothing can be
//! handed over, whatever the mail is, waiting longer with each attempt would keep mails back for long after the server is
//! well again. So the gate closes at once, one mail at a time is tried, at most every half minute, and the first one that
//! reaches the server opens it. Then twice as many may be sent as before at each look for jobs, so that a server that has
//! just come back is not flooded.
//!
//! Each process has its own gate: it asks nobody, and learns by its own mails.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long the gate is closed after the first failure; twice as long after each that follows.
const FIRST: Duration = Duration::from_secs(1);
/// How long at most.
const LONGEST: Duration = Duration::from_secs(30);
/// From so many mails at a time on, there is no bound but that of connections and jobs.
const UNBOUNDED: usize = 128;

/// Says how many mails may be tried at a time.
pub(crate) struct CircuitBreaker(Mutex<State>);

struct State {
    /// How many may be tried at a time; [`UNBOUNDED`] while all is well.
    allowed: usize,
    /// How many are being tried.
    busy: usize,
    /// Closed until then.
    until: Option<Instant>,
    /// How long it was closed last.
    pause: Duration,
}

/// The right to try a mail; given back when it is dropped.
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
    /// The right to try a mail; `None`: not now.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant) -> Option<BreakerPermit> {
        let mut state = self.state();
        (state.room(now) > 0).then(|| {
            state.busy += 1;
            BreakerPermit(Arc::clone(self))
        })
    }

    /// How many mails more may be tried at once; `None`: as many as there are.
    pub(crate) fn room(&self, now: Instant) -> Option<usize> {
        let state = self.state();
        (state.allowed < UNBOUNDED).then(|| state.room(now))
    }

    /// A mail was taken or refused: the server can be used. `true`: it could not before.
    pub(crate) fn reached(&self) -> bool {
        let mut state = self.state();
        let was_closed = state.until.take().is_some();
        state.pause = Duration::ZERO;
        state.allowed = (state.allowed + 1).min(UNBOUNDED);
        was_closed
    }

    /// The server could not be used. Gives how long the gate is closed now, and whether it was open before.
    pub(crate) fn unreachable(&self, now: Instant) -> (Duration, bool) {
        let mut state = self.state();
        let was_open = state.until.is_none();
        match state.until {
            // Others that failed with the one that closed it.
            Some(until) if now < until => {}
            _ => {
                state.pause = (state.pause * 2).clamp(FIRST, LONGEST);
                state.until = Some(now + state.pause);
            }
        }
        state.allowed = 1;
        (state.until.map_or(state.pause, |until| until - now), was_open)
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
    fn while_the_server_is_away_one_mail_at_a_time_is_tried_ever_more_seldom() {
        let (gate, start) = (Arc::<CircuitBreaker>::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        // Many were on their way; they close it once.
        let passes: Vec<_> = (0..200).map_while(|_| gate.enter(start)).collect();
        assert_eq!((passes.len(), gate.room(start)), (200, None));
        for at in 0..200 {
            assert_eq!(gate.unreachable(start), (FIRST, at == 0));
        }
        drop(passes);
        assert!(gate.enter(start).is_none());
        // A probe each time it may be tried again: after 1, 2, 4, … seconds, never more than 30.
        let mut probes = Vec::new();
        for second in 0..=120 {
            if let Some(pass) = gate.enter(after(second)) {
                assert!(gate.enter(after(second)).is_none(), "one at a time");
                assert_eq!(gate.room(after(second)), Some(0));
                gate.unreachable(after(second));
                drop(pass);
                probes.push(second);
            }
        }
        assert_eq!(probes, [1, 3, 7, 15, 31, 61, 91]);
    }

    #[test]
    fn the_first_that_reaches_the_server_opens_the_gate_a_little_more_each_time() {
        let (gate, now) = (Arc::<CircuitBreaker>::default(), Instant::now());
        let (wait, _) = gate.unreachable(now);
        let (mut rounds, now) = (Vec::new(), now + wait);
        while let Some(room) = gate.room(now) {
            let passes: Vec<_> = (0..room).map_while(|_| gate.enter(now)).collect();
            assert_eq!(passes.len(), room);
            assert!(gate.enter(now).is_none());
            for (at, _) in passes.iter().enumerate() {
                assert_eq!(gate.reached(), rounds.is_empty() && at == 0);
            }
            rounds.push(room);
        }
        assert_eq!(rounds, [1, 2, 4, 8, 16, 32, 64]);
        // The next outage begins anew.
        assert_eq!(gate.unreachable(now), (FIRST, true));
    }

    #[test]
    fn a_mail_that_says_nothing_of_the_server_leaves_the_gate_as_it_is() {
        let (gate, now) = (Arc::<CircuitBreaker>::default(), Instant::now());
        let (wait, _) = gate.unreachable(now);
        for _ in 0..3 {
            drop(gate.enter(now + wait).unwrap());
        }
        assert_eq!(gate.room(now + wait), Some(1));
    }
}
