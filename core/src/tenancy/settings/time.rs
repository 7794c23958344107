//! What an organization has settled about the time of its members.

use std::ops::RangeInclusive;

use chrono::TimeDelta;
use serde_json::{Map, Value};

use crate::{Result, base::permissions::RequiredPermission, storage::db::OrgTx, tenancy::organizations};

pub(super) const OVERLAP: &str = "time_entry_overlap";
pub(super) const LONGEST: &str = "time_entry_max_hours";
pub(super) const FUTURE: &str = "time_entry_future";

const ALLOW: &str = "allow";
const REFUSE: &str = "refuse";

/// As it is stored.
pub(super) const fn word(allowed: bool) -> &'static str {
    if allowed { ALLOW } else { REFUSE }
}

/// How many hours a time entry may last at most, as far as an organization may say: up to 31 days.
pub const LONGEST_HOURS: RangeInclusive<u16> = 1..=744;

/// How many it may where the organization has not settled it.
const USUAL_LONGEST_HOURS: u16 = 24;

/// What the time of the members must heed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRules {
    /// May a member have two entries at the same time?
    pub overlap: bool,
    /// How many hours an entry may last: one of [`LONGEST_HOURS`].
    pub max_hours: u16,
    /// May it be written down before it happened?
    pub future: bool,
}

impl TimeRules {
    /// As they are stored, or what is usual.
    pub(super) fn of(stored: &Map<String, Value>) -> Self {
        let is = |name: &str| stored.get(name).and_then(Value::as_str).map(|word| word == ALLOW);
        let hours = stored.get(LONGEST).and_then(Value::as_u64).and_then(|hours| u16::try_from(hours).ok());
        Self {
            overlap: is(OVERLAP).unwrap_or(true),
            max_hours: hours.filter(|hours| LONGEST_HOURS.contains(hours)).unwrap_or(USUAL_LONGEST_HOURS),
            future: is(FUTURE).unwrap_or(false),
        }
    }

    /// How long an entry may be.
    pub fn longest(&self) -> TimeDelta {
        TimeDelta::hours(self.max_hours.into())
    }
}

/// What the time of the members must heed at this moment.
///
/// # Errors
/// `NotFound` when the organization was deleted at the same time.
pub(crate) async fn time_rules<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<TimeRules> {
    let organization = tx.find::<organizations::Entity>().one().await?;
    Ok(TimeRules::of(&super::stored(organization.settings.as_deref())))
}
