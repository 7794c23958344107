//! The database's clock, by which everything is judged that several servers judge: their own clocks may differ.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::Db;
use crate::Result;

/// From this difference on an operator is warned.
const NOTABLE: TimeDelta = TimeDelta::seconds(5);

/// How far the database's clock is ahead of this machine's, as it was last measured. Its clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct ClockSkew(Arc<AtomicI64>);

impl ClockSkew {
    pub(super) fn get(&self) -> TimeDelta {
        TimeDelta::microseconds(self.0.load(Relaxed))
    }

    /// Takes over what `answer` says, unless that is within its own uncertainty: the clock is not to jump back and forth.
    /// Gives the difference before and after.
    fn learn(&self, answer: &Answer) -> (TimeDelta, TimeDelta) {
        let before = self.get();
        let uncertainty = (answer.received - answer.asked) / 2;
        let measured = answer.time - (answer.asked + uncertainty);
        if (measured - before).abs() <= uncertainty {
            return (before, before);
        }
        self.0.store(measured.num_microseconds().unwrap_or_default(), Relaxed);
        (before, measured)
    }
}

/// What time a database said it was, between two instants of this machine.
pub(super) struct Answer {
    pub(super) asked: DateTime<Utc>,
    pub(super) time: DateTime<Utc>,
    pub(super) received: DateTime<Utc>,
}

impl Db {
    /// Asks the database for its clock; from then on [`Db::now`] follows it. Warns when this machine's clock begins to differ
    /// by 5 s or more. On SQLite this machine's clock is the database's.
    ///
    /// # Errors
    /// Whatever keeps the database from answering; what was measured before stays.
    pub async fn measure_skew(&self) -> Result<()> {
        let Some(answer) = self.pools.ask_time(self.clock).await? else { return Ok(()) };
        let (before, after) = self.skew.learn(&answer);
        match (before.abs() >= NOTABLE, after.abs() >= NOTABLE) {
            (false, true) => tracing::warn!("{}", describe(after)),
            (true, false) => {
                tracing::info!("the clock of this server agrees with the clock of the database again");
            }
            _ => {}
        }
        Ok(())
    }

    /// What an operator is told of this machine's clock; `None` while it differs by less than 5 s from the database's.
    pub fn clock_warning(&self) -> Option<String> {
        Some(self.skew.get()).filter(|skew| skew.abs() >= NOTABLE).map(describe)
    }
}

fn describe(skew: TimeDelta) -> String {
    let direction = if skew < TimeDelta::zero() { "ahead of" } else { "behind" };
    let seconds = (skew.abs() + TimeDelta::milliseconds(500)).num_seconds();
    format!(
        "the clock of this server is {seconds} s {direction} the clock of the database: correct it, for example with NTP"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::clock::Clock, storage::db::test_db::TestDb};

    fn answer(asked: i64, time: i64, received: i64) -> Answer {
        let at = |milliseconds| DateTime::from_timestamp_millis(1_790_000_000_000 + milliseconds).unwrap();
        Answer { asked: at(asked), time: at(time), received: at(received) }
    }

    #[test]
    fn what_is_within_the_uncertainty_changes_nothing() {
        let skew = ClockSkew::default();
        skew.learn(&answer(0, 19, 20));
        assert_eq!(skew.get(), TimeDelta::zero(), "10 ms either way");
        skew.learn(&answer(0, 60_010, 20));
        assert_eq!(skew.get(), TimeDelta::seconds(60));
        skew.learn(&answer(0, 60_001, 20));
        assert_eq!(skew.get(), TimeDelta::seconds(60));
        skew.learn(&answer(0, 55_000, 0));
        assert_eq!(skew.get(), TimeDelta::seconds(55));
    }

    #[test]
    fn a_warning_says_in_which_direction() {
        assert!(describe(TimeDelta::seconds(25)).contains("25 s behind the clock of the database"));
        assert!(describe(TimeDelta::seconds(-7)).contains("7 s ahead of the clock of the database"));
        assert!(describe(TimeDelta::milliseconds(19_980)).contains(" 20 s behind"), "rounded, not cut off");
    }

    #[tokio::test]
    async fn a_machine_whose_clock_differs_goes_by_the_database() {
        let sandbox = TestDb::new().await;
        let true_time = sandbox.db.now();
        for seconds in [-50, 25] {
            let wrong = true_time + TimeDelta::seconds(seconds);
            let here = sandbox.at(Clock::Fixed(wrong));
            here.db.measure_skew().await.unwrap();
            match here.db.system() {
                "sqlite" => assert_eq!((here.db.now(), here.db.clock_warning()), (wrong, None)),
                _ => {
                    assert!((here.db.now() - true_time).abs() < TimeDelta::seconds(4), "{}", here.db.now());
                    assert!(here.db.clock_warning().is_some());
                }
            }
        }
    }
}
