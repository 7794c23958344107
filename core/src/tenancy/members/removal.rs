//! How a member goes: of his own accord, by whoever may remove him, or because he is forgotten.

use sea_orm::{ActiveValue::Set, ColumnTrait, sea_query::ExprTrait};
use serde_json::json;

use super::{Member, REMOVED, entity, member_roles, ownership};
use crate::{
    Result,
    base::permissions::{OwnMembership, WritePermission},
    storage::{
        audit::{Action, Details},
        db::OrgTx,
    },
    tenancy::organizations,
};

/// Ends a membership, whose row is locked: the row stays, since what he did names it, and his roles are gone. Whoever
/// calls this locked the organization before and counts its owners afterwards ([`owners`]), unless they do not change.
pub(crate) async fn go<P: WritePermission>(tx: &OrgTx<P>, before: Member, action: Action) -> Result<()> {
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
    tx.record(action, before.id, Details::removed(facts)).await
}

/// Lets the caller go from the organization.
///
/// # Errors
/// `NOT_A_MEMBER` for operators of the platform; `PERSONAL_ORGANIZATION`; `LAST_OWNER`; `NotFound` when it was deleted, or
/// he was removed, at the same time.
pub(crate) async fn leave(tx: &OrgTx<OwnMembership>) -> Result<()> {
    let member = tx.own_member()?;
    organizations::refuse_personal(&ownership::lock(tx).await?)?;
    let condition = entity::Column::Id.eq(member).and(entity::Column::Status.eq(super::ACTIVE));
    let before = tx.find::<entity::Entity>().filter(condition).one_locked().await?;
    go(tx, before, Action::MemberLeft).await?;
    ownership::refuse_none_left(tx).await
}
