//! Up to when an organization's time is settled: what began before can be changed no more, until it is unlocked.

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
        audit::{Action, Details},
        db::{Expected, OrgTx},
    },
    tenancy::members,
};
use entity::{ActiveModel, Entity, Model};

/// Up to when time is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeriodLock {
    /// What began before this instant, a whole second, can be changed no more; `None`: everything can.
    pub locked_until: Option<DateTime<Utc>>,
    /// Counts the changes, from 0; the `ETag`.
    pub version: i64,
}

impl PeriodLock {
    /// Refuses a change of time that began at `started_at`.
    ///
    /// # Errors
    /// `PERIOD_LOCKED`, of the field `started_at`.
    pub(crate) fn refuse(&self, started_at: DateTime<Utc>) -> Result<()> {
        match self.locked_until {
            Some(until) if started_at < until => {
                let message = format!(
                    "Time entries that started before {} are locked and can no longer be changed.",
                    shown(until)
                );
                let fault = InvalidText { code: ErrorCode::PeriodLocked.as_str(), message };
                Err(ErrorCode::PeriodLocked.refuse_field("started_at", fault))
            }
            _ => Ok(()),
        }
    }

    fn facts(&self) -> Value {
        json!({ "locked_until": self.locked_until.map(shown) })
    }
}

fn shown(instant: DateTime<Utc>) -> String {
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

/// The lock, as it is at this moment. Whoever changes time asks when he holds the lock of the member whose it is.
pub(crate) async fn current<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<PeriodLock> {
    Ok(row(tx).await?.map(PeriodLock::from).unwrap_or_default())
}

/// Up to when time is settled.
///
/// # Errors
/// Whatever the database refuses.
pub async fn get(tx: &OrgTx<TimeEntriesRead>) -> Result<PeriodLock> {
    current(tx).await
}

/// Locks what began before `until`, an instant that is not ahead; `None` unlocks everything. A change that changes nothing
/// leaves no trace.
///
/// # Errors
/// `PRECONDITION_FAILED` when `expected` is not its version; `VALIDATION_FAILED` when `until` is ahead.
pub async fn set(
    tx: &OrgTx<TimeEntriesLock>,
    until: Option<DateTime<Utc>>,
    expected: &Expected,
) -> Result<PeriodLock> {
    // Nobody changes anybody's time meanwhile: whoever does holds the lock of a member.
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
    tx.record(action, id, Details::changed(before.facts(), after.facts())).await?;
    Ok(after)
}
