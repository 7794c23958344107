//! The buckets of one class, in this process.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    NotUntil, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
};

use super::store::Store;
use crate::base::rate::Rate;

/// What came of taking a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many are left.
    pub(super) remaining: u32,
    /// How long until the bucket is full.
    pub(super) reset: Duration,
    /// How long until there is one, where there was none.
    pub(super) wait: Option<Duration>,
}

pub(super) struct Buckets {
    quota: Rate,
    limiter: Limiter,
}

type Limiter = RateLimiter<String, Store, DefaultClock, StateInformationMiddleware>;

impl Buckets {
    pub(super) fn new(quota: Rate) -> Self {
        let count = NonZeroU32::new(quota.count).unwrap_or(NonZeroU32::MIN);
        let filled = governor::Quota::with_period(quota.interval());
        let filled = filled.unwrap_or(governor::Quota::per_second(NonZeroU32::MIN)).allow_burst(count);
        let limiter = Limiter::new(filled, Store::default(), DefaultClock::default());
        Self { quota, limiter }
    }

    pub(super) fn take(&self, key: &str) -> Taken {
        match self.limiter.check_key(&key.to_owned()) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                Taken { remaining, reset: self.reset(remaining), wait: None }
            }
            Err(refused) => {
                let wait = wait(&refused, &self.limiter);
                Taken { remaining: 0, reset: self.reset(0), wait: Some(wait) }
            }
        }
    }

    /// How long until a bucket that holds so many is full.
    fn reset(&self, remaining: u32) -> Duration {
        self.quota.interval() * self.quota.count.saturating_sub(remaining)
    }

    /// Forgets those that are full.
    pub(super) fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

fn wait(refused: &NotUntil<governor::clock::QuantaInstant>, limiter: &Limiter) -> Duration {
    refused.wait_time_from(limiter.clock().now())
}
