//! Locks on members. Every change of a member's time entries locks the row of the member first, so that changes of the same
//! member do not run at the same time.

use sea_orm::ColumnTrait;

use super::{ACTIVE, Column, Entity, Member, referenced::check_active};
use crate::{
    Error, Result,
    base::{error::FieldErrors, ids::MemberId, permissions::WritePermission},
    storage::db::OrgTx,
};

/// Locks a member for changes of their time entries. Adds an error for `field` to `fields` if the member does not exist or is
/// not active.
///
/// # Errors
/// Any database error.
pub(crate) async fn lock_active<P: WritePermission>(
    tx: &OrgTx<P>,
    member: MemberId,
    field: &str,
    fields: &mut FieldErrors,
) -> Result<()> {
    let is_active = match tx.find::<Entity>().filter(Column::Id.eq(member)).one_locked().await {
        Err(Error::NotFound(_)) => None,
        found => Some(found?.status == ACTIVE),
    };
    check_active(is_active, field, fields);
    Ok(())
}

/// Locks a member with any status for changes of their time entries.
///
/// # Errors
/// `NotFound`, also for a member of another organization.
pub(crate) async fn lock_one<P: WritePermission>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    tx.find::<Entity>().filter(Column::Id.eq(member)).one_locked().await.map(drop)
}

/// Locks these members, in the order of their ids. Returns those that exist.
///
/// # Errors
/// Any database error.
pub(super) async fn lock_many<P: WritePermission>(
    tx: &OrgTx<P>,
    members: &[MemberId],
) -> Result<Vec<Member>> {
    tx.find::<Entity>().all_locked_of(members.iter().copied()).await
}

/// Locks every member, so that no time entry of the organization changes until the transaction ends.
///
/// # Errors
/// Any database error.
pub(crate) async fn lock_all<P: WritePermission>(tx: &OrgTx<P>) -> Result<()> {
    tx.find::<Entity>().all_locked().await.map(drop)
}
