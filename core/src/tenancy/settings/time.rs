//! The settings for time entries.

use std::ops::RangeInclusive;

use chrono::TimeDelta;
use serde_json::{Map, Value};

use crate::{Result, base::permissions::RequiredPermission, storage::db::OrgTx, tenancy::organizations};

pub(super) const OVERLAP: &str = "time_entry_overlap";
pub(super) const MAX_HOURS: &str = "time_entry_max_hours";
pub(super) const FUTURE: &str = "time_entry_future";

const ALLOW: &str = "allow";
const REFUSE: &str = "refuse";

/// Returns the stored spelling.
pub(super) const fn rule(allowed: bool) -> &'static str {
    if allowed { ALLOW } else { REFUSE }
}

/// Allowed maximum duration of a time entry, in hours; up to 31 days.
pub const MAX_ENTRY_HOURS: RangeInclusive<u16> = 1..=744;

/// Default maximum duration of a time entry, in hours.
const DEFAULT_MAX_ENTRY_HOURS: u16 = 24;

/// The rules of an organization for time entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRules {
    /// Whether time entries of a member can overlap.
    pub overlap: bool,
    /// Maximum duration of a time entry, in hours, within [`MAX_ENTRY_HOURS`].
    pub max_hours: u16,
    /// Whether time entries can lie in the future.
    pub future: bool,
}

impl TimeRules {
    /// Reads the stored rules, with defaults for missing and invalid ones.
    pub(super) fn of(stored: &Map<String, Value>) -> Self {
        let allows = |name: &str| stored.get(name).and_then(Value::as_str).map(|rule| rule == ALLOW);
        let hours = stored.get(MAX_HOURS).and_then(Value::as_u64).and_then(|hours| u16::try_from(hours).ok());
        Self {
            overlap: allows(OVERLAP).unwrap_or(true),
            max_hours: hours
                .filter(|hours| MAX_ENTRY_HOURS.contains(hours))
                .unwrap_or(DEFAULT_MAX_ENTRY_HOURS),
            future: allows(FUTURE).unwrap_or(false),
        }
    }

    /// Returns the maximum duration of a time entry.
    pub fn max_duration(&self) -> TimeDelta {
        TimeDelta::hours(self.max_hours.into())
    }
}

/// Returns the current rules of the organization for time entries.
///
/// # Errors
/// `NotFound` when the organization was deleted at the same time.
pub(crate) async fn time_rules<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<TimeRules> {
    let organization = tx.find::<organizations::Entity>().one().await?;
    Ok(TimeRules::of(&super::stored(organization.settings.as_deref())))
}
