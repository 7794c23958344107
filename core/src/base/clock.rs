//! What time it is: asked once per transaction, so that all rows of one change carry one instant. Where servers share a
//! PostgreSQL, [`crate::storage::db::Db::now`] puts this machine's clock right by the database's.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// Where instants come from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Always the same instant, for tests.
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The present instant, cut to microseconds: what both databases store and give back unchanged.
    pub fn now(self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
            Self::System => {
                let now = Utc::now();
                now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
            }
            Self::Fixed(instant) => instant,
        }
    }
}
