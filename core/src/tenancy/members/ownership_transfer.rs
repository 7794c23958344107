//! How the role of owners passes from one member to another.

use sea_orm::{ActiveValue::Set, ColumnTrait, sea_query::ExprTrait};
use serde_json::{Value, json};

use super::{Member, entity, locking::lock_these, member_roles, ownership};
use crate::{
    Error, Result,
    base::{
        ids::{MemberId, MemberRoleId, RoleId},
        permissions::{BuiltinRole, RequiredPermission, WritePermission},
    },
    identity::users,
    storage::{
        audit::{Action, Details},
        db::OrgTx,
    },
    tenancy::roles,
};

/// The member, if he is active and so is his account.
///
/// # Errors
/// `NotFound`.
pub(crate) async fn active<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Result<Member> {
    let condition = entity::Column::Id.eq(member).and(entity::Column::Status.eq(super::ACTIVE));
    let living = users::Column::IsActive.eq(true).and(users::Column::DeletedAt.is_null());
    let found =
        tx.find::<entity::Entity>().filter(condition).with::<users::Entity>().filter(living).one().await;
    found.map(|(member, _)| member)
}

/// Is the member active, and his account, too?
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn is_active<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Result<bool> {
    match active(tx, member).await {
        Err(Error::NotFound(_)) => Ok(false),
        found => found.map(|_| true),
    }
}

/// Makes one member an owner and the other an admin, who was an owner until now. The organization is locked; both are locked
/// here.
///
/// # Errors
/// `LAST_OWNER` when nobody is an active owner afterwards.
pub(crate) async fn hand_over<P: WritePermission>(tx: &OrgTx<P>, from: MemberId, to: MemberId) -> Result<()> {
    let owner = roles::builtin(tx, BuiltinRole::Owner).await?;
    let admin = roles::builtin(tx, BuiltinRole::Admin).await?;
    for member in lock_these(tx, &[from, to]).await? {
        match member.id == to {
            true => exchange(tx, &member, owner, None).await?,
            false => exchange(tx, &member, admin, Some(owner)).await?,
        }
    }
    ownership::refuse_none_left(tx).await
}

/// Gives a member a role for another. What he holds already leaves no trace.
async fn exchange<P: WritePermission>(
    tx: &OrgTx<P>,
    before: &Member,
    gain: RoleId,
    loss: Option<RoleId>,
) -> Result<()> {
    let member = before.id;
    let held = facts(tx, member).await?;
    let row = member_roles::ActiveModel {
        id: Set(MemberRoleId::new(tx.now())),
        member_id: Set(member),
        role_id: Set(gain),
        granted_by: Set(tx.member()),
        created_at: Set(tx.now()),
        ..Default::default()
    };
    tx.insert_if_absent(row, &[member_roles::Column::MemberId, member_roles::Column::RoleId]).await?;
    if let Some(loss) = loss {
        let lost = member_roles::Column::MemberId.eq(member).and(member_roles::Column::RoleId.eq(loss));
        tx.delete::<member_roles::Entity>(lost).await?;
    }
    let holds = facts(tx, member).await?;
    if holds == held {
        return Ok(());
    }
    tx.update(entity::ActiveModel {
        id: Set(member),
        version: Set(before.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    })
    .await?;
    tx.record(Action::MemberUpdated, member, Details::changed(held, holds)).await
}

/// The roles of a member, as the audit log tells them.
async fn facts<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Result<Value> {
    let roles = super::grants_of(tx, member).await?;
    Ok(json!({ "roles": roles.iter().map(|role| &role.key).collect::<Vec<_>>() }))
}
