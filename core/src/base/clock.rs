//! The clock. It is read once per transaction, so that all rows of one change have the same instant. Where servers
//! share a PostgreSQL, [`crate::storage::db::Db::now`] corrects this machine's clock by the database's clock.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// The source of the current time.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Always the same instant, for tests.
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The current instant, truncated to microseconds, the precision that both databases store.
    pub fn now(self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the only place that reads the clock")]
            Self::System => {
                let now = Utc::now();
                now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
            }
            Self::Fixed(instant) => instant,
        }
    }
}
