//! What every stretch of time must heed, whoever writes it down.

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Utc};
use sea_orm::{ColumnTrait, Condition};

use super::{Column, Entity, LONGEST, list::window};
use crate::{
    Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{MemberId, TimeEntryId},
        permissions::RequiredPermission,
    },
    storage::db::OrgTx,
    tenancy::settings::{self, TimeRules},
    work::period_locks::{self, PeriodLock},
};

/// For so long a client's clock may be ahead of ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(1);

/// From when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) started_at: DateTime<Utc>,
    /// `None`: it is running.
    pub(super) ended_at: Option<DateTime<Utc>>,
}

impl Span {
    /// In whole seconds.
    pub(super) fn new(started_at: DateTime<Utc>, ended_at: Option<DateTime<Utc>>) -> Self {
        Self { started_at: started_at.trunc_subsecs(0), ended_at: ended_at.map(|end| end.trunc_subsecs(0)) }
    }
}

/// What holds in an organization.
pub(super) struct Rules {
    settled: TimeRules,
    lock: PeriodLock,
}

impl Rules {
    /// At this moment. To be asked when the member is locked.
    pub(super) async fn of<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Self> {
        Ok(Self { settled: settings::time_rules(tx).await?, lock: period_locks::current(tx).await? })
    }

    /// Notes what is wrong with a span by itself.
    pub(super) fn judge(&self, span: Span, now: DateTime<Utc>, fields: &mut FieldErrors) {
        let Span { started_at, ended_at } = span;
        if !(1970..=2199).contains(&started_at.year()) {
            fields.add("started_at", "OUT_OF_RANGE", "Must be between the years 1970 and 2199.");
        }
        if !self.settled.future {
            let ahead = |instant: DateTime<Utc>| instant > now + CLOCK_SKEW;
            for (field, instant) in [("started_at", Some(started_at)), ("ended_at", ended_at)] {
                if instant.is_some_and(ahead) {
                    fields.add(field, "IN_FUTURE", "Must not be in the future.");
                }
            }
        }
        let Some(ended_at) = ended_at else { return };
        if ended_at < started_at {
            fields.add("ended_at", "ENDED_BEFORE_STARTED", "Must not be before `started_at`.");
        } else if ended_at - started_at > self.settled.max_duration() {
            let hours = self.settled.max_hours;
            let sentence = format!(
                "A time entry of this organization can last at most {hours} hours. Choose an earlier `ended_at`."
            );
            fields.add("ended_at", "ENTRY_TOO_LONG", sentence);
        }
    }

    /// Refuses what began in a period that is locked.
    ///
    /// # Errors
    /// `PERIOD_LOCKED`.
    pub(super) fn refuse_locked(&self, started_at: DateTime<Utc>) -> Result<()> {
        self.lock.refuse(started_at)
    }

    /// Does the organization want no time counted twice?
    pub(super) fn refuse_double(&self) -> bool {
        !self.settled.overlap
    }

    /// Refuses, where the organization wants it, a span in which the member has another entry than `this`.
    ///
    /// # Errors
    /// `TIME_ENTRY_OVERLAP`.
    pub(super) async fn refuse_overlap<P: RequiredPermission>(
        &self,
        tx: &OrgTx<P>,
        member: MemberId,
        span: Span,
        this: Option<TimeEntryId>,
    ) -> Result<()> {
        if !self.refuse_double() {
            return Ok(());
        }
        let others = tx
            .find::<Entity>()
            .filter(Column::MemberId.eq(member))
            .filter(window(Some(span.started_at), span.ended_at))
            .filter(Condition::all().add_option(this.map(|this| Column::Id.ne(this))));
        match others.exists().await? {
            false => Ok(()),
            true => Err(ErrorCode::TimeEntryOverlap.refuse_at("started_at")),
        }
    }
}

/// When what is running may end at the latest, at the instant `now`: no entry is longer than all may be.
pub(super) fn latest_end(started_at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    now.trunc_subsecs(0).min(started_at + LONGEST).max(started_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(span: Span, settled: TimeRules) -> Vec<String> {
        let mut fields = FieldErrors::default();
        Rules { settled, lock: PeriodLock::default() }.judge(span, at(12), &mut fields);
        match fields.into_result() {
            Err(crate::Error::Invalid(_, faults)) => {
                faults.into_iter().map(|fault| format!("{} {}", fault.field, fault.code)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::hours(hour)
    }

    #[test]
    fn a_span_heeds_what_is_settled() {
        let usual = TimeRules { overlap: true, max_hours: 8, future: false };
        let span = |from, to| Span::new(at(from), Some(at(to)));
        assert!(faults(span(4, 12), usual).is_empty() && faults(span(4, 4), usual).is_empty());
        assert!(faults(Span::new(at(1), None), usual).is_empty());
        assert_eq!(faults(span(3, 12), usual), ["ended_at ENTRY_TOO_LONG"]);
        assert_eq!(faults(span(5, 4), usual), ["ended_at ENDED_BEFORE_STARTED"]);
        assert_eq!(faults(span(11, 13), usual), ["ended_at IN_FUTURE"]);
        assert_eq!(
            faults(span(14, 13), usual),
            ["started_at IN_FUTURE", "ended_at IN_FUTURE", "ended_at ENDED_BEFORE_STARTED"]
        );
        assert!(faults(span(20, 22), TimeRules { future: true, ..usual }).is_empty());
        let long_ago = Span::new(DateTime::from_timestamp(-1, 0).unwrap(), None);
        assert_eq!(faults(long_ago, usual), ["started_at OUT_OF_RANGE"]);
    }

    #[test]
    fn what_was_forgotten_ends_within_a_month() {
        assert_eq!(latest_end(at(0), at(5)), at(5));
        assert_eq!(latest_end(at(0), at(24 * 40)), at(24 * 31));
        assert_eq!(latest_end(at(5), at(0)), at(5));
    }
}
