//! Update and remove members.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use serde_json::{Value, json};

use super::{
    Entity, MemberDetails, MemberEffect, MembershipState, REMOVED,
    dry_run::{effects, permission_sets},
    entity::{ActiveModel, Column},
    list::{get, ids},
    member_roles, ownership, removal,
};
use crate::{
    Result,
    base::{
        ids::{MemberId, MemberRoleId},
        permissions::{MembersRemove, MembersUpdate, Permission, PermissionSet, RoleGrants, WritePermission},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{self, OrgTx},
    },
    tenancy::roles::{self, RoleRef},
};

/// Changes of a member. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct MemberChanges {
    /// Whether the member is suspended. Removal is another operation.
    pub is_suspended: Option<bool>,
    /// All roles of the member after the change.
    pub roles: Option<Vec<RoleRef>>,
}

/// The version of a member that a client knows: the versions of the member and of the user.
pub type ExpectedMember = db::ExpectedVersion<(i64, i64)>;

/// Locks the organization and then the member. The organization is needed because owners are counted after every change.
async fn lock<P: WritePermission>(
    tx: &OrgTx<P>,
    id: MemberId,
    expected: &ExpectedMember,
) -> Result<MemberDetails> {
    ownership::lock(tx).await?;
    let member = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(Column::Status.ne(REMOVED));
    member.one_locked().await?;
    let details = get(tx, id).await?;
    expected.check(&(details.member.version, details.user.version))?;
    Ok(details)
}

/// Returns the values of a member for the audit log.
fn facts(details: &MemberDetails) -> Value {
    let keys: Vec<_> = details.roles.iter().map(|role| &role.key).collect();
    json!({ "user_id": details.user.id, "status": details.member.status, "roles": keys })
}

/// Updates a member. Without a difference, neither the version changes nor an event is recorded.
///
/// # Errors
/// - `NotFound`, also for a removed member; `PRECONDITION_FAILED`.
/// - `Forbidden` without `roles:assign` if the roles change.
/// - `VALIDATION_FAILED` for unknown roles.
/// - `OWNER_PROTECTED` or `REAUTH_REQUIRED` for a member who is or becomes an owner.
/// - `ESCALATION`; `LAST_OWNER`.
pub async fn update(
    tx: &OrgTx<MembersUpdate>,
    id: MemberId,
    changes: MemberChanges,
    expected: &ExpectedMember,
) -> Result<MemberDetails> {
    let before = lock(tx, id, expected).await?;
    let current = roles::grants_by_id(tx, &ids(&before.roles)).await?;
    let wanted = match &changes.roles {
        Some(wanted) => roles::resolve(tx, "roles", wanted).await?,
        None => current.clone(),
    };
    let status = match changes.is_suspended {
        Some(true) => MembershipState::Suspended.as_str(),
        Some(false) => MembershipState::Active.as_str(),
        None => &before.member.status,
    };
    let changes_roles = role_ids(&current) != role_ids(&wanted);
    if !changes_roles && status == before.member.status {
        return Ok(before);
    }
    if changes_roles {
        super::require_permission(tx, Permission::RolesAssign).await?;
    }
    if current.iter().chain(&wanted).any(RoleGrants::is_owner) {
        tx.facts().refuse_touching_owner()?;
    }
    // Reactivation counts as a grant of all roles of the member.
    let is_reactivated = status == MembershipState::Active.as_str() && before.member.status != status;
    let granted =
        wanted.iter().filter(|role| is_reactivated || !current.iter().any(|other| other.id == role.id));
    let granted: Vec<_> = granted.cloned().collect();
    tx.facts().refuse_escalation(union(&granted), granted.iter().any(RoleGrants::is_owner))?;
    if changes_roles {
        replace_roles(tx, id, &current, &wanted).await?;
    }
    tx.update(ActiveModel {
        id: Set(id),
        status: Set(status.to_owned()),
        version: Set(before.member.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    })
    .await?;
    ownership::require_active_owner(tx).await?;
    let after = get(tx, id).await?;
    tx.record(Action::MemberUpdated, id, EventDetails::changed(facts(&before), facts(&after))).await?;
    Ok(after)
}

/// Determines the effect of [`update`] by running it. The transaction must not be committed.
///
/// # Errors
/// Those of [`update`].
pub async fn try_update(
    tx: &OrgTx<MembersUpdate>,
    id: MemberId,
    changes: MemberChanges,
    expected: &ExpectedMember,
) -> Result<Vec<MemberEffect>> {
    let before = permission_sets(tx, &[id]).await?;
    update(tx, id, changes, expected).await?;
    effects(tx, &before, &permission_sets(tx, &[id]).await?).await
}

/// Removes a member. Their work stays, and their roles are deleted.
///
/// # Errors
/// `NotFound`, also for a removed member; `PRECONDITION_FAILED`; `OWNER_PROTECTED`, `REAUTH_REQUIRED` if the member is an
/// owner; `PERSONAL_ORGANIZATION` for its only owner; `LAST_OWNER`.
pub(crate) async fn remove(tx: &OrgTx<MembersRemove>, id: MemberId, expected: &ExpectedMember) -> Result<()> {
    let details = lock(tx, id, expected).await?;
    if roles::grants_by_id(tx, &ids(&details.roles)).await?.iter().any(RoleGrants::is_owner) {
        tx.facts().refuse_touching_owner()?;
    }
    removal::mark_removed(tx, details.member, Action::MemberRemoved).await?;
    ownership::require_active_owner(tx).await
}

fn role_ids(roles: &[RoleGrants]) -> BTreeSet<crate::base::ids::RoleId> {
    roles.iter().map(|role| role.id).collect()
}

/// Returns the union of the permissions of these roles.
fn union(roles: &[RoleGrants]) -> PermissionSet {
    roles.iter().fold(PermissionSet::default(), |all, role| all.union(role.permissions))
}

/// Replaces the roles of a member by `wanted`.
async fn replace_roles<P: WritePermission>(
    tx: &OrgTx<P>,
    member: MemberId,
    current: &[RoleGrants],
    wanted: &[RoleGrants],
) -> Result<()> {
    let removed =
        current.iter().filter(|role| !wanted.iter().any(|other| other.id == role.id)).map(|role| role.id);
    let removed: Vec<_> = removed.collect();
    if !removed.is_empty() {
        let condition = member_roles::Column::RoleId.is_in(removed);
        let condition = Condition::all().add(member_roles::Column::MemberId.eq(member)).add(condition);
        tx.delete::<member_roles::Entity>(condition).await?;
    }
    let new = wanted.iter().filter(|role| !current.iter().any(|other| other.id == role.id));
    let new = new.map(|role| member_roles::ActiveModel {
        id: Set(MemberRoleId::new(tx.now())),
        member_id: Set(member),
        role_id: Set(role.id),
        granted_by: Set(tx.member()),
        created_at: Set(tx.now()),
        ..Default::default()
    });
    let new: Vec<_> = new.collect();
    match new.is_empty() {
        true => Ok(()),
        false => tx.insert_many(new).await,
    }
}
