//! Members that the body of something else names.

use std::collections::HashMap;

use super::{ACTIVE, Column, Entity};
use crate::{
    Result,
    base::{error::FieldErrors, ids::MemberId, permissions::WritePermission},
    identity::users,
    storage::db::OrgTx,
};

/// Which of some members there are, and which of these are active.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReferencedMembers(HashMap<MemberId, bool>);

impl ReferencedMembers {
    /// Of these members, who stay as they are until the transaction ends: whoever takes one of them away waits, and then finds
    /// what names him. To be asked before anything is locked that comes after members (`core/src/storage/db/locks.rs`).
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub(crate) async fn kept<P: WritePermission>(tx: &OrgTx<P>, members: Vec<MemberId>) -> Result<Self> {
        tx.find::<Entity>().all_kept_of(members.iter().copied()).await?;
        let found = tx.find::<Entity>().with::<users::Entity>().all_of(Column::Id, members).await?;
        let standing = found.into_iter().map(|(member, user)| {
            let is_active = member.status == ACTIVE && user.is_active && user.deleted_at.is_none();
            (member.id, is_active)
        });
        Ok(Self(standing.collect()))
    }

    /// Notes under `field` that a member is not there, or not active.
    pub(crate) fn check(&self, field: &str, member: MemberId, fields: &mut FieldErrors) {
        refuse_standing(self.0.get(&member).copied(), field, fields);
    }
}

/// Notes under `field` that a member is not active, or with `None` not there.
pub(crate) fn refuse_standing(is_active: Option<bool>, field: &str, fields: &mut FieldErrors) {
    match is_active {
        Some(true) => {}
        Some(false) => fields.add(field, "INACTIVE_MEMBER", "This member is not active."),
        None => fields.add(field, "UNKNOWN_MEMBER", "There is no such member."),
    }
}
