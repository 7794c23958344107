//! Members that the body of a request refers to.

use std::collections::HashMap;

use super::{ACTIVE, Column, Entity};
use crate::{
    Result,
    base::{error::FieldErrors, ids::MemberId, permissions::WritePermission},
    identity::users,
    storage::db::OrgTx,
};

/// The existing ones of some members, and whether each is active.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReferencedMembers(HashMap<MemberId, bool>);

impl ReferencedMembers {
    /// Looks up these members and locks them (`FOR SHARE`) until the transaction ends. A concurrent removal of a member waits,
    /// and then finds the new reference. Call it before locks that come after members (`core/src/storage/db/locks.rs`).
    ///
    /// # Errors
    /// Any database error.
    pub(crate) async fn lock<P: WritePermission>(tx: &OrgTx<P>, members: Vec<MemberId>) -> Result<Self> {
        tx.find::<Entity>().all_kept_of(members.iter().copied()).await?;
        let rows = tx.find::<Entity>().with::<users::Entity>().all_of(Column::Id, members).await?;
        let states = rows.into_iter().map(|(member, user)| {
            let is_active = member.status == ACTIVE && user.is_active && user.deleted_at.is_none();
            (member.id, is_active)
        });
        Ok(Self(states.collect()))
    }

    /// Adds an error for `field` if the member does not exist or is not active.
    pub(crate) fn check(&self, field: &str, member: MemberId, fields: &mut FieldErrors) {
        check_active(self.0.get(&member).copied(), field, fields);
    }
}

/// Adds an error for `field` if a member is not active. `None`: the member does not exist.
pub(crate) fn check_active(is_active: Option<bool>, field: &str, fields: &mut FieldErrors) {
    match is_active {
        Some(true) => {}
        Some(false) => fields.add(field, "INACTIVE_MEMBER", "This member is not active."),
        None => fields.add(field, "UNKNOWN_MEMBER", "There is no such member."),
    }
}
