//! Rules of the time of every entry, whatever its source.

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Utc};
use sea_orm::{ColumnTrait, Condition};

use super::{Column, Entity, LONGEST, list::window};
use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{MemberId, TimeEntryId},
        permissions::RequiredPermission,
    },
    storage::db::OrgTx,
    tenancy::settings::{self, TimeRules},
    work::period_locks::{self, PeriodLock},
};

/// The clock of a client can be ahead by this much.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(1);

/// Start and end of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) started_at: DateTime<Utc>,
    /// `None`: the timer runs.
    pub(super) ended_at: Option<DateTime<Utc>>,
}

impl Span {
    /// Cuts both to whole seconds.
    pub(super) fn new(started_at: DateTime<Utc>, ended_at: Option<DateTime<Utc>>) -> Self {
        Self { started_at: started_at.trunc_subsecs(0), ended_at: ended_at.map(|end| end.trunc_subsecs(0)) }
    }
}

/// The settings and the period lock of an organization.
pub(super) struct Rules {
    settings_rules: TimeRules,
    lock: PeriodLock,
}

impl Rules {
    /// The current rules. Call it after locking the member.
    pub(super) async fn of<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Self> {
        Ok(Self { settings_rules: settings::time_rules(tx).await?, lock: period_locks::current(tx).await? })
    }

    /// Adds errors of a span that depend on no other entry.
    pub(super) fn validate(&self, span: Span, now: DateTime<Utc>, fields: &mut FieldErrors) {
        let Span { started_at, ended_at } = span;
        if !(1970..=2199).contains(&started_at.year()) {
            fields.add("started_at", "OUT_OF_RANGE", "Must be between the years 1970 and 2199.");
        }
        if !self.settings_rules.future {
            let ahead = |instant: DateTime<Utc>| instant > now + CLOCK_SKEW;
            for (field, instant) in [("started_at", Some(started_at)), ("ended_at", ended_at)] {
                if instant.is_some_and(ahead) {
                    fields.add(field, "IN_FUTURE", "Must not be in the future.");
                }
            }
        }
        let Some(ended_at) = ended_at else { return };
        if ended_at < started_at {
            fields.add("ended_at", "ENDED_BEFORE_STARTED", "Must not be before the start.");
        } else if ended_at - started_at > self.settings_rules.max_duration() {
            let hours = self.settings_rules.max_hours;
            let sentence = format!(
                "A time entry of this organization can last at most {hours} hours. Choose an earlier end."
            );
            fields.add("ended_at", "ENTRY_TOO_LONG", sentence);
        }
    }

    /// Rejects an entry that starts in a locked period.
    ///
    /// # Errors
    /// `PERIOD_LOCKED`.
    pub(super) fn refuse_locked(&self, started_at: DateTime<Utc>) -> Result<()> {
        self.lock.refuse(started_at)
    }

    /// Whether the organization forbids overlapping entries.
    pub(super) fn forbids_overlap(&self) -> bool {
        !self.settings_rules.overlap
    }

    /// Rejects a span that overlaps another entry of the member than `this`, if the organization forbids overlaps.
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
        if !self.forbids_overlap() {
            return Ok(());
        }
        let others = tx
            .find::<Entity>()
            .filter(Column::MemberId.eq(member))
            .filter(window(Some(span.started_at), span.ended_at))
            .filter(Condition::all().add_option(this.map(|this| Column::Id.ne(this))));
        match others.first(Column::StartedAt, 1).await?.first() {
            None => Ok(()),
            Some(other) => {
                Err(Error::TimeEntryOverlap(other.id, vec![ErrorCode::TimeEntryOverlap.at("started_at")]))
            }
        }
    }
}

/// The latest possible end of a running entry at the time `now`; at most [`LONGEST`] after its start.
pub(super) fn latest_end(started_at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    now.trunc_subsecs(0).min(started_at + LONGEST).max(started_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(span: Span, settings_rules: TimeRules) -> Vec<String> {
        let mut fields = FieldErrors::default();
        Rules { settings_rules, lock: PeriodLock::default() }.validate(span, at(12), &mut fields);
        match fields.into_result() {
            Err(Error::Invalid(_, errors)) => {
                errors.into_iter().map(|error| format!("{} {}", error.field, error.code)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::hours(hour)
    }

    #[test]
    fn a_span_follows_the_settings() {
        let rules = TimeRules { overlap: true, max_hours: 8, future: false };
        let span = |from, to| Span::new(at(from), Some(at(to)));
        assert!(errors(span(4, 12), rules).is_empty() && errors(span(4, 4), rules).is_empty());
        assert!(errors(Span::new(at(1), None), rules).is_empty());
        assert_eq!(errors(span(3, 12), rules), ["ended_at ENTRY_TOO_LONG"]);
        assert_eq!(errors(span(5, 4), rules), ["ended_at ENDED_BEFORE_STARTED"]);
        assert_eq!(errors(span(11, 13), rules), ["ended_at IN_FUTURE"]);
        assert_eq!(
            errors(span(14, 13), rules),
            ["started_at IN_FUTURE", "ended_at IN_FUTURE", "ended_at ENDED_BEFORE_STARTED"]
        );
        assert!(errors(span(20, 22), TimeRules { future: true, ..rules }).is_empty());
        let long_ago = Span::new(DateTime::from_timestamp(-1, 0).unwrap(), None);
        assert_eq!(errors(long_ago, rules), ["started_at OUT_OF_RANGE"]);
    }

    #[test]
    fn a_forgotten_timer_ends_within_a_month() {
        assert_eq!(latest_end(at(0), at(5)), at(5));
        assert_eq!(latest_end(at(0), at(24 * 40)), at(24 * 31));
        assert_eq!(latest_end(at(5), at(0)), at(5));
    }
}
