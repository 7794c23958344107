//! How organizations end and come back, and what operators of the platform do with them. What an operator changes, the
//! organization's own log tells.

mod admin;
mod purge;

use chrono::TimeDelta;

pub use admin::{Owner, change, create, remove, restore, resume, suspend};
pub use purge::purge;

use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        permissions::{OrganizationDelete, OrganizationRestore, WritePermission},
    },
    storage::db::{Expected, OrgTx},
    tenancy::{
        members,
        organizations::{self, Organization},
    },
    work::time_entries,
};

/// How long a deleted organization can be restored.
const GRACE: TimeDelta = TimeDelta::days(30);

/// Deletes the organization; for 30 days it can be restored.
///
/// # Errors
/// `PERSONAL_ORGANIZATION`; `ORGANIZATION_DELETED`; `PRECONDITION_FAILED` when `expected` is not its version.
pub async fn close(tx: &OrgTx<OrganizationDelete>, expected: &Expected) -> Result<()> {
    end(tx, expected).await
}

/// Brings the deleted organization back, with everything in it. One that lives stays as it is, without a trace.
///
/// # Errors
/// `PERSONAL_ORGANIZATION`; `ORGANIZATION_DELETED` when its time is over; `LAST_OWNER` when nobody is left to own it.
pub async fn reopen(tx: &OrgTx<OrganizationRestore>) -> Result<Organization> {
    bring_back(tx).await
}

async fn end<P: WritePermission>(tx: &OrgTx<P>, expected: &Expected) -> Result<()> {
    let before = organizations::lock(tx).await?;
    organizations::refuse_personal(&before)?;
    expected.check(&before.version)?;
    organizations::remove(tx, before, tx.now() + GRACE).await?;
    // Nobody could stop them.
    time_entries::stop_all_timers(tx).await
}

async fn bring_back<P: WritePermission>(tx: &OrgTx<P>) -> Result<Organization> {
    let before = match organizations::lock_deleted(tx).await {
        Err(Error::NotFound(_)) => return organizations::lock(tx).await,
        before => before?,
    };
    organizations::refuse_personal(&before)?;
    if before.purge_after.is_some_and(|due| due <= tx.now()) {
        return Err(ErrorCode::OrganizationDeleted.refuse());
    }
    let restored = organizations::restore(tx, before).await?;
    // Nobody counted its owners while it was deleted.
    members::refuse_none_left(tx).await?;
    Ok(restored)
}
