//! That nobody changes a member's time at the same time as somebody else: whoever does locks the member's row first.

use sea_orm::ColumnTrait;

use super::{ACTIVE, Column, Entity, Member, referenced::refuse_standing};
use crate::{
    Error, Result,
    base::{error::FieldErrors, ids::MemberId, permissions::WritePermission},
    storage::db::OrgTx,
};

/// Locks a member for changes of his time; notes in `fields` that there is none, or that he is not active, under the name
/// of `field`.
///
/// # Errors
/// Whatever the database refuses.
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
    refuse_standing(is_active, field, fields);
    Ok(())
}

/// Locks a member, whatever his status, for changes of his time.
///
/// # Errors
/// `NotFound`, also when he is another organization's.
pub(crate) async fn lock_one<P: WritePermission>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    tx.find::<Entity>().filter(Column::Id.eq(member)).one_locked().await.map(drop)
}

/// Locks these members, in the order of their ids; gives those that there are.
///
/// # Errors
/// Whatever the database refuses.
pub(super) async fn lock_these<P: WritePermission>(
    tx: &OrgTx<P>,
    members: &[MemberId],
) -> Result<Vec<Member>> {
    tx.find::<Entity>().all_locked_of(members.iter().copied()).await
}

/// Locks every member: nobody's time changes until the transaction ends.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn lock_all<P: WritePermission>(tx: &OrgTx<P>) -> Result<()> {
    tx.find::<Entity>().all_locked().await.map(drop)
}
