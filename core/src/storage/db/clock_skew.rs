//! The clock of the database. All servers use it, because their own clocks may differ.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::Db;
use crate::Result;

/// From this difference on, operators are warned.
const WARN_FROM: TimeDelta = TimeDelta::seconds(5);

/// The last measured difference between the database's clock and this machine's. All clones share one value.
#[derive(Clone, Debug, Default)]
pub(super) struct ClockSkew(Arc<AtomicI64>);

impl ClockSkew {
    pub(super) fn get(&self) -> TimeDelta {
        TimeDelta::microseconds(self.0.load(Relaxed))
    }

    /// Stores the difference in `reading`, unless the change is smaller than the uncertainty, because the clock must
    /// not jump back and forth. Returns the difference before and after.
    fn update(&self, reading: &ClockReading) -> (TimeDelta, TimeDelta) {
        let before = self.get();
        let uncertainty = (reading.received - reading.asked) / 2;
        let measured = reading.time - (reading.asked + uncertainty);
        if (measured - before).abs() <= uncertainty {
            return (before, before);
        }
        self.0.store(measured.num_microseconds().unwrap_or_default(), Relaxed);
        (before, measured)
    }
}

/// The time of the database, between two instants of this machine.
pub(super) struct ClockReading {
    pub(super) asked: DateTime<Utc>,
    pub(super) time: DateTime<Utc>,
    pub(super) received: DateTime<Utc>,
}

impl Db {
    /// Reads the clock of the database, which [`Db::now`] follows from then on. Warns when this machine's clock starts
    /// to differ by 5 s or more. On SQLite, both clocks are the same.
    ///
    /// # Errors
    /// If the database does not answer; the previous measurement stays.
    pub async fn measure_skew(&self) -> Result<()> {
        let Some(reading) = self.pools.read_clock(self.clock).await? else { return Ok(()) };
        let (before, after) = self.skew.update(&reading);
        match (before.abs() >= WARN_FROM, after.abs() >= WARN_FROM) {
            (false, true) => tracing::warn!("{}", describe(after)),
            (true, false) => {
                tracing::info!("the clock of this server agrees with the clock of the database again");
            }
            _ => {}
        }
        Ok(())
    }

    /// A warning for operators about this machine's clock; `None` if it differs by less than 5 s from the database's.
    pub fn clock_warning(&self) -> Option<String> {
        Some(self.skew.get()).filter(|skew| skew.abs() >= WARN_FROM).map(describe)
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

    fn reading(asked: i64, time: i64, received: i64) -> ClockReading {
        let at = |milliseconds| DateTime::from_timestamp_millis(1_790_000_000_000 + milliseconds).unwrap();
        ClockReading { asked: at(asked), time: at(time), received: at(received) }
    }

    #[test]
    fn differences_within_the_uncertainty_are_ignored() {
        let skew = ClockSkew::default();
        skew.update(&reading(0, 19, 20));
        assert_eq!(skew.get(), TimeDelta::zero(), "the uncertainty is 10 ms");
        skew.update(&reading(0, 60_010, 20));
        assert_eq!(skew.get(), TimeDelta::seconds(60));
        skew.update(&reading(0, 60_001, 20));
        assert_eq!(skew.get(), TimeDelta::seconds(60));
        skew.update(&reading(0, 55_000, 0));
        assert_eq!(skew.get(), TimeDelta::seconds(55));
    }

    #[test]
    fn a_warning_states_the_direction() {
        assert!(describe(TimeDelta::seconds(25)).contains("25 s behind the clock of the database"));
        assert!(describe(TimeDelta::seconds(-7)).contains("7 s ahead of the clock of the database"));
        assert!(describe(TimeDelta::milliseconds(19_980)).contains(" 20 s behind"), "rounded, not truncated");
    }

    #[tokio::test]
    async fn a_machine_with_a_wrong_clock_follows_the_database() {
        let test_db = TestDb::new().await;
        let true_time = test_db.db.now();
        for seconds in [-50, 25] {
            let wrong = true_time + TimeDelta::seconds(seconds);
            let wrong_machine = test_db.at(Clock::Fixed(wrong));
            wrong_machine.db.measure_skew().await.unwrap();
            match wrong_machine.db.system() {
                "sqlite" => {
                    assert_eq!((wrong_machine.db.now(), wrong_machine.db.clock_warning()), (wrong, None));
                }
                _ => {
                    assert!(
                        (wrong_machine.db.now() - true_time).abs() < TimeDelta::seconds(4),
                        "{}",
                        wrong_machine.db.now()
                    );
                    assert!(wrong_machine.db.clock_warning().is_some());
                }
            }
        }
    }
}
