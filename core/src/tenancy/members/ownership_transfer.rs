//! Transfer of ownership from one member to another.

use sea_orm::{ActiveValue::Set, ColumnTrait, sea_query::ExprTrait};
use serde_json::{Value, json};

use super::{Member, entity, locking::lock_many, member_roles, ownership};
use crate::{
    Error, Result,
    base::{
        ids::{MemberId, MemberRoleId, RoleId},
        permissions::{BuiltinRole, RequiredPermission, WritePermission},
    },
    identity::users,
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
    tenancy::roles,
};

/// Returns the member, if the membership and the account are active.
///
/// # Errors
/// `NotFound`.
pub(crate) async fn get_active<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Result<Member> {
    let condition = entity::Column::Id.eq(member).and(entity::Column::Status.eq(super::ACTIVE));
    let active_user = users::Column::IsActive.eq(true).and(users::Column::DeletedAt.is_null());
    let found =
        tx.find::<entity::Entity>().filter(condition).with::<users::Entity>().filter(active_user).one().await;
    found.map(|(member, _)| member)
}

/// Returns whether the membership and the account of the member are active.
///
/// # Errors
/// Any database error.
pub(crate) async fn is_active<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Result<bool> {
    match get_active(tx, member).await {
        Err(Error::NotFound(_)) => Ok(false),
        found => found.map(|_| true),
    }
}

/// Makes the member `to` an owner, and the owner `from` an admin. The organization must be locked; the members are locked here.
///
/// # Errors
/// `LAST_OWNER` when there is no active owner afterwards.
pub(crate) async fn transfer_ownership<P: WritePermission>(
    tx: &OrgTx<P>,
    from: MemberId,
    to: MemberId,
) -> Result<()> {
    let owner = roles::builtin(tx, BuiltinRole::Owner).await?;
    let admin = roles::builtin(tx, BuiltinRole::Admin).await?;
    for member in lock_many(tx, &[from, to]).await? {
        match member.id == to {
            true => replace_role(tx, &member, owner, None).await?,
            false => replace_role(tx, &member, admin, Some(owner)).await?,
        }
    }
    ownership::require_active_owner(tx).await
}

/// Grants a member the role `gain` and removes the role `loss`. It records nothing if the roles stay the same.
async fn replace_role<P: WritePermission>(
    tx: &OrgTx<P>,
    before: &Member,
    gain: RoleId,
    loss: Option<RoleId>,
) -> Result<()> {
    let member = before.id;
    let before_facts = facts(tx, member).await?;
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
    let after_facts = facts(tx, member).await?;
    if after_facts == before_facts {
        return Ok(());
    }
    tx.update(entity::ActiveModel {
        id: Set(member),
        version: Set(before.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    })
    .await?;
    tx.record(Action::MemberUpdated, member, EventDetails::changed(before_facts, after_facts)).await
}

/// Returns the roles of a member for the audit log.
async fn facts<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Result<Value> {
    let roles = super::grants_of(tx, member).await?;
    Ok(json!({ "roles": roles.iter().map(|role| &role.key).collect::<Vec<_>>() }))
}
