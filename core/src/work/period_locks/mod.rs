//! The locked period of an organization. Time entries that start in it cannot be changed until it is unlocked.

pub(crate) mod entity;

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};

use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::PeriodLockId,
        permissions::{RequiredPermission, TimeEntriesLock, TimeEntriesRead},
        text::InvalidText,
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
    tenancy::members,
};
use entity::{ActiveModel, Entity, Model};

/// The locked period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeriodLock {
    /// Entries that start before this time (a whole second) cannot be changed; `None`: all can.
    pub locked_until: Option<DateTime<Utc>>,
    /// Number of changes, from 0; the `ETag`.
    pub version: i64,
}

impl PeriodLock {
    /// Rejects a change of an entry that starts at `started_at`.
    ///
    /// # Errors
    /// `PERIOD_LOCKED` for the field `started_at`.
    pub(crate) fn refuse(&self, started_at: DateTime<Utc>) -> Result<()> {
        match self.locked_until {
            Some(until) if started_at < until => {
                let message = format!(
                    "Time entries that started before {} are locked and can no longer be changed.",
                    format_seconds(until)
                );
                let fault = InvalidText { code: ErrorCode::PeriodLocked.as_str(), message };
                Err(ErrorCode::PeriodLocked.refuse_field("started_at", fault))
            }
            _ => Ok(()),
        }
    }

    fn facts(&self) -> Value {
        json!({ "locked_until": self.locked_until.map(format_seconds) })
    }
}

fn format_seconds(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

impl From<Model> for PeriodLock {
    fn from(row: Model) -> Self {
        Self { locked_until: row.locked_until, version: row.version }
    }
}

async fn row<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Option<Model>> {
    match tx.find::<Entity>().one().await {
        Err(Error::NotFound(_)) => Ok(None),
        found => found.map(Some),
    }
}

/// The current lock. Changes of time call it after they lock the member, so that it cannot change before they commit.
pub(crate) async fn current<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<PeriodLock> {
    Ok(row(tx).await?.map(PeriodLock::from).unwrap_or_default())
}

/// Gets the locked period.
///
/// # Errors
/// Errors of the database.
pub async fn get(tx: &OrgTx<TimeEntriesRead>) -> Result<PeriodLock> {
    current(tx).await
}

/// Locks all time before `until`; `None` unlocks everything. A change without effect creates neither a new version nor
/// an audit event.
///
/// # Errors
/// `PRECONDITION_FAILED` when `expected` is not its version; `VALIDATION_FAILED` if `until` is in the future.
pub async fn set(
    tx: &OrgTx<TimeEntriesLock>,
    until: Option<DateTime<Utc>>,
    expected: &ExpectedVersion,
) -> Result<PeriodLock> {
    // Locking all members excludes concurrent changes of time, which lock the member.
    members::lock_all(tx).await?;
    let found = row(tx).await?;
    let before = found.clone().map(PeriodLock::from).unwrap_or_default();
    expected.check(&before.version)?;
    if until.is_some_and(|until| until > tx.now()) {
        let fault = InvalidText { code: "IN_FUTURE", message: "Must not be in the future.".to_owned() };
        return Err(ErrorCode::ValidationFailed.refuse_field("locked_until", fault));
    }
    if until == before.locked_until {
        return Ok(before);
    }
    let version = before.version + 1;
    let (locked_until, updated_at) = (Set(until), Set(tx.now()));
    let row = match found {
        Some(row) => {
            let change = ActiveModel {
                id: Set(row.id),
                locked_until,
                version: Set(version),
                updated_at,
                ..Default::default()
            };
            tx.update(change).await?
        }
        None => {
            let (id, created_at) = (Set(PeriodLockId::new(tx.now())), Set(tx.now()));
            let new = ActiveModel {
                id,
                locked_until,
                version: Set(version),
                created_at,
                updated_at,
                ..Default::default()
            };
            tx.insert(new).await?
        }
    };
    let (id, after) = (row.id, PeriodLock::from(row));
    let action = if until > before.locked_until { Action::PeriodLocked } else { Action::PeriodUnlocked };
    tx.record(action, id, EventDetails::changed(before.facts(), after.facts())).await?;
    Ok(after)
}
