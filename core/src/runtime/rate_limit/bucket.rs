//! The buckets of one class, in this process.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    NotUntil, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
};

use super::store::Store;
use crate::base::rate::Rate;

/// The result of taking a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TakeResult {
    /// The number of tokens left.
    pub(super) remaining: u32,
    /// The time until the bucket is full.
    pub(super) reset: Duration,
    /// The time until the next token; `None` if there was one.
    pub(super) wait: Option<Duration>,
}

pub(super) struct Buckets {
    rate: Rate,
    limiter: Limiter,
}

type Limiter = RateLimiter<String, Store, DefaultClock, StateInformationMiddleware>;

impl Buckets {
    pub(super) fn new(rate: Rate) -> Self {
        let count = NonZeroU32::new(rate.count).unwrap_or(NonZeroU32::MIN);
        let gcra = governor::Quota::with_period(rate.interval());
        let gcra = gcra.unwrap_or(governor::Quota::per_second(NonZeroU32::MIN)).allow_burst(count);
        let limiter = Limiter::new(gcra, Store::default(), DefaultClock::default());
        Self { rate, limiter }
    }

    pub(super) fn take(&self, key: &str) -> TakeResult {
        match self.limiter.check_key(&key.to_owned()) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                TakeResult { remaining, reset: self.reset(remaining), wait: None }
            }
            Err(refused) => {
                let wait = wait(&refused, &self.limiter);
                TakeResult { remaining: 0, reset: self.reset(0), wait: Some(wait) }
            }
        }
    }

    /// The time until a bucket with this many tokens is full.
    fn reset(&self, remaining: u32) -> Duration {
        self.rate.interval() * self.rate.count.saturating_sub(remaining)
    }

    /// Removes the buckets that are full.
    pub(super) fn evict_idle(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

fn wait(refused: &NotUntil<governor::clock::QuantaInstant>, limiter: &Limiter) -> Duration {
    refused.wait_time_from(limiter.clock().now())
}
