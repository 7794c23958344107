//! Settings of an organization. A setting that is not set has its default.
//!
//! They are stored as JSON in the row of the organization, and share its version. Settings of a newer version of the program
//! stay as they are.

mod time;

use std::ops::RangeInclusive;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use serde_json::{Map, Value, json};

use crate::{
    Error, Result,
    base::{
        permissions::{OrganizationRead, SettingsUpdate},
        text::Currency,
    },
    identity::users::WeekStart,
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
    tenancy::organizations::{self, Organization},
};
pub(crate) use time::time_rules;
pub use time::{MAX_ENTRY_HOURS, TimeRules};

const CURRENCY: &str = "currency";
const WEEK_START: &str = "week_start";
const AUDIT_RETENTION: &str = "audit_retention_days";

/// Allowed retention of an audit log, in days.
pub const AUDIT_RETENTION_DAYS: RangeInclusive<u16> = 30..=3650;

/// Default retention of an audit log, in days.
const DEFAULT_AUDIT_RETENTION_DAYS: u16 = 365;

/// The settings of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Currency of the organization.
    pub currency: Currency,
    /// The first day of the week.
    pub week_start: WeekStart,
    /// Retention of the audit log, in days.
    pub audit_retention_days: u16,
    /// The rules for time entries.
    pub time: TimeRules,
    /// The version of the organization.
    pub version: i64,
}

/// Changes of the settings. `None` leaves a setting as it is.
#[derive(Clone, Debug, Default)]
pub struct SettingsChanges {
    /// Currency of the organization.
    pub currency: Option<Currency>,
    /// The first day of the week.
    pub week_start: Option<WeekStart>,
    /// Retention of the audit log, in days, within [`AUDIT_RETENTION_DAYS`].
    pub audit_retention_days: Option<u16>,
    /// Whether time entries of a member can overlap.
    pub overlap: Option<bool>,
    /// Maximum duration of a time entry, in hours, within [`MAX_ENTRY_HOURS`].
    pub max_hours: Option<u16>,
    /// Whether time entries can lie in the future.
    pub future: Option<bool>,
}

impl Settings {
    fn of(organization: &Organization) -> Self {
        let stored = stored(organization.settings.as_deref());
        let text = |name: &str| stored.get(name).and_then(Value::as_str);
        let currency = text(CURRENCY).and_then(|code| Currency::parse(code).ok());
        Self {
            currency: currency.unwrap_or_else(Currency::default_currency),
            week_start: text(WEEK_START).and_then(WeekStart::parse).unwrap_or(WeekStart::Monday),
            audit_retention_days: audit_retention_days(&stored),
            time: TimeRules::of(&stored),
            version: organization.version,
        }
    }

    /// Returns the values for the audit log.
    fn facts(&self) -> Value {
        json!({
            CURRENCY: self.currency.as_str(),
            WEEK_START: self.week_start.as_str(),
            AUDIT_RETENTION: self.audit_retention_days,
            time::OVERLAP: time::rule(self.time.overlap),
            time::MAX_HOURS: self.time.max_hours,
            time::FUTURE: time::rule(self.time.future),
        })
    }
}

fn audit_retention_days(stored: &Map<String, Value>) -> u16 {
    let days = stored.get(AUDIT_RETENTION).and_then(Value::as_u64).and_then(|days| u16::try_from(days).ok());
    days.filter(|days| AUDIT_RETENTION_DAYS.contains(days)).unwrap_or(DEFAULT_AUDIT_RETENTION_DAYS)
}

/// Returns the retention of the audit log for these stored settings. `None`, for an organization without settings or one that
/// was purged, gives the default.
pub(crate) fn audit_retention(settings: Option<&str>) -> TimeDelta {
    TimeDelta::days(audit_retention_days(&stored(settings)).into())
}

/// Parses the stored settings, including those of a newer version of the program.
fn stored(settings: Option<&str>) -> Map<String, Value> {
    settings.and_then(|settings| serde_json::from_str(settings).ok()).unwrap_or_default()
}

/// Returns the settings in the row of an organization.
pub(crate) fn of(organization: &Organization) -> Settings {
    Settings::of(organization)
}

/// Returns the settings.
///
/// # Errors
/// `NotFound` when the organization was deleted at the same time.
pub async fn get(tx: &OrgTx<OrganizationRead>) -> Result<Settings> {
    organizations::get(tx).await.map(|organization| Settings::of(&organization))
}

/// Updates the settings. Without a difference, neither the version changes nor an event is recorded.
///
/// # Errors
/// `ORGANIZATION_DELETED`; `PRECONDITION_FAILED` when `expected` is not the current version.
pub async fn update(
    tx: &OrgTx<SettingsUpdate>,
    changes: SettingsChanges,
    expected: &ExpectedVersion,
) -> Result<Settings> {
    let organization = organizations::lock(tx).await?;
    expected.check(&organization.version)?;
    let before = Settings::of(&organization);
    let after = Settings {
        currency: changes.currency.unwrap_or_else(|| before.currency.clone()),
        week_start: changes.week_start.unwrap_or(before.week_start),
        audit_retention_days: changes.audit_retention_days.unwrap_or(before.audit_retention_days),
        time: TimeRules {
            overlap: changes.overlap.unwrap_or(before.time.overlap),
            max_hours: changes.max_hours.unwrap_or(before.time.max_hours),
            future: changes.future.unwrap_or(before.time.future),
        },
        version: before.version,
    };
    if after == before {
        return Ok(before);
    }
    let mut settings = stored(organization.settings.as_deref());
    if let Value::Object(facts) = after.facts() {
        settings.extend(facts);
    }
    let settings = serde_json::to_string(&settings).map_err(|_| Error::Internal("settings are not JSON"))?;
    let organization = tx
        .update(organizations::ActiveModel {
            id: Set(organization.id),
            settings: Set(Some(settings)),
            version: Set(organization.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    let details = EventDetails::changed(before.facts(), after.facts());
    tx.record(Action::SettingsUpdated, organization.id, details).await?;
    Ok(Settings::of(&organization))
}
