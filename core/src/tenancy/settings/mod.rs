//! What an organization has settled for itself: what it does not say reads as what is usual.
//!
//! Kept as JSON in its row, and versioned with it. What a newer program has written there stays as it is.

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
        audit::{Action, Details},
        db::{Expected, OrgTx},
    },
    tenancy::organizations::{self, Organization},
};
pub(crate) use time::time_rules;
pub use time::{LONGEST_HOURS, TimeRules};

const CURRENCY: &str = "currency";
const WEEK_START: &str = "week_start";
const AUDIT_RETENTION: &str = "audit_retention_days";

/// For how many days an organization may keep its audit log.
pub const AUDIT_RETENTION_DAYS: RangeInclusive<u16> = 30..=3650;

/// For how many it does that has not settled it.
const USUAL_AUDIT_RETENTION_DAYS: u16 = 365;

/// What holds in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// In which it reckons.
    pub currency: Currency,
    /// The first day of its week.
    pub week_start: WeekStart,
    /// For how many days it keeps its audit log.
    pub audit_retention_days: u16,
    /// What the time of its members must heed.
    pub time: TimeRules,
    /// That of the organization, whose part they are.
    pub version: i64,
}

/// What is to change; `None` leaves a setting as it is.
#[derive(Clone, Debug, Default)]
pub struct SettingsChanges {
    /// In which it reckons.
    pub currency: Option<Currency>,
    /// The first day of its week.
    pub week_start: Option<WeekStart>,
    /// For how many days it keeps its audit log: one of [`AUDIT_RETENTION_DAYS`].
    pub audit_retention_days: Option<u16>,
    /// May a member have two time entries at the same time?
    pub overlap: Option<bool>,
    /// How many hours a time entry may last: one of [`LONGEST_HOURS`].
    pub max_hours: Option<u16>,
    /// May time be written down before it happened?
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

    /// What the audit log tells of them.
    fn facts(&self) -> Value {
        json!({
            CURRENCY: self.currency.as_str(),
            WEEK_START: self.week_start.as_str(),
            AUDIT_RETENTION: self.audit_retention_days,
            time::OVERLAP: time::word(self.time.overlap),
            time::LONGEST: self.time.max_hours,
            time::FUTURE: time::word(self.time.future),
        })
    }
}

fn audit_retention_days(stored: &Map<String, Value>) -> u16 {
    let days = stored.get(AUDIT_RETENTION).and_then(Value::as_u64).and_then(|days| u16::try_from(days).ok());
    days.filter(|days| AUDIT_RETENTION_DAYS.contains(days)).unwrap_or(USUAL_AUDIT_RETENTION_DAYS)
}

/// For how long an organization with these settings keeps its audit log; `None`: one that has settled nothing, or is
/// no more.
pub(crate) fn audit_retention(settings: Option<&str>) -> TimeDelta {
    TimeDelta::days(audit_retention_days(&stored(settings)).into())
}

/// As they stand in the row, with those of a newer program.
fn stored(settings: Option<&str>) -> Map<String, Value> {
    settings.and_then(|settings| serde_json::from_str(settings).ok()).unwrap_or_default()
}

/// The settings.
///
/// # Errors
/// `NotFound` when the organization was deleted at the same time.
pub async fn get(tx: &OrgTx<OrganizationRead>) -> Result<Settings> {
    organizations::get(tx).await.map(|organization| Settings::of(&organization))
}

/// Changes the settings. A change that changes nothing leaves no trace: neither a new version nor an event.
///
/// # Errors
/// `ORGANIZATION_DELETED`; `PRECONDITION_FAILED` when `expected` is not their version.
pub async fn change(
    tx: &OrgTx<SettingsUpdate>,
    changes: SettingsChanges,
    expected: &Expected,
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
    let settings = serde_json::to_string(&settings).map_err(|_| Error::Broken("settings are not JSON"))?;
    let organization = tx
        .update(organizations::ActiveModel {
            id: Set(organization.id),
            settings: Set(Some(settings)),
            version: Set(organization.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    let details = Details::changed(before.facts(), after.facts());
    tx.record(Action::SettingsUpdated, organization.id, details).await?;
    Ok(Settings::of(&organization))
}
