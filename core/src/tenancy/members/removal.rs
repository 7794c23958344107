//! End of a membership: the member leaves, is removed, or their account is purged.

use sea_orm::{ActiveValue::Set, ColumnTrait, sea_query::ExprTrait};
use serde_json::json;

use super::{Member, REMOVED, entity, member_roles, ownership};
use crate::{
    Result,
    base::permissions::{OwnMembership, WritePermission},
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
    tenancy::organizations,
};

/// Marks a membership as removed and deletes its roles. The row, which must be locked, stays, because other rows refer to it.
/// If owners can change, the caller locks the organization before and counts its owners afterwards ([`ownership`]).
pub(crate) async fn mark_removed<P: WritePermission>(
    tx: &OrgTx<P>,
    before: Member,
    action: Action,
) -> Result<()> {
    tx.delete::<member_roles::Entity>(member_roles::Column::MemberId.eq(before.id)).await?;
    tx.update(entity::ActiveModel {
        id: Set(before.id),
        status: Set(REMOVED.to_owned()),
        removed_at: Set(Some(tx.now())),
        version: Set(before.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    })
    .await?;
    let facts = json!({ "user_id": before.user_id, "status": before.status });
    tx.record(action, before.id, EventDetails::removed(facts)).await
}

/// Ends the caller's own membership.
///
/// # Errors
/// `NOT_A_MEMBER` for superusers; `PERSONAL_ORGANIZATION`; `LAST_OWNER`; `NotFound` when the organization was deleted or the
/// member was removed at the same time.
pub(crate) async fn leave(tx: &OrgTx<OwnMembership>) -> Result<()> {
    let member = tx.own_member()?;
    organizations::refuse_personal(&ownership::lock(tx).await?)?;
    let condition = entity::Column::Id.eq(member).and(entity::Column::Status.eq(super::ACTIVE));
    let before = tx.find::<entity::Entity>().filter(condition).one_locked().await?;
    mark_removed(tx, before, Action::MemberLeft).await?;
    ownership::require_active_owner(tx).await
}
