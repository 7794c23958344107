//! Delete, restore and purge organizations, and the operations of superusers on them. Changes by superusers are also in
//! the audit log of the organization.

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
    storage::db::{ExpectedVersion, OrgTx},
    tenancy::{
        members,
        organizations::{self, Organization},
    },
    work::time_entries,
};

/// The grace period of a deleted organization.
const GRACE: TimeDelta = TimeDelta::days(30);

/// Deletes the organization, which can be restored for 30 days.
///
/// # Errors
/// `PERSONAL_ORGANIZATION`; `ORGANIZATION_DELETED`; `PRECONDITION_FAILED` when `expected` is not its version.
pub async fn close(tx: &OrgTx<OrganizationDelete>, expected: &ExpectedVersion) -> Result<()> {
    delete_organization(tx, expected).await
}

/// Restores the deleted organization with everything in it. One that is not deleted stays as it is, without an audit
/// event.
///
/// # Errors
/// `PERSONAL_ORGANIZATION`; `ORGANIZATION_DELETED` after the grace period; `LAST_OWNER` if no owner is left.
pub async fn reopen(tx: &OrgTx<OrganizationRestore>) -> Result<Organization> {
    restore_organization(tx).await
}

async fn delete_organization<P: WritePermission>(tx: &OrgTx<P>, expected: &ExpectedVersion) -> Result<()> {
    let before = organizations::lock(tx).await?;
    organizations::refuse_personal(&before)?;
    expected.check(&before.version)?;
    organizations::delete(tx, before, tx.now() + GRACE).await?;
    // Members could not stop their timers later.
    time_entries::stop_all_timers(tx).await
}

async fn restore_organization<P: WritePermission>(tx: &OrgTx<P>) -> Result<Organization> {
    let before = match organizations::lock_deleted(tx).await {
        Err(Error::NotFound(_)) => return organizations::lock(tx).await,
        before => before?,
    };
    organizations::refuse_personal(&before)?;
    if before.purge_after.is_some_and(|due| due <= tx.now()) {
        return Err(ErrorCode::OrganizationDeleted.refuse());
    }
    let restored = organizations::restore(tx, before).await?;
    // While it was deleted, the last owner could leave.
    members::require_active_owner(tx).await?;
    Ok(restored)
}
