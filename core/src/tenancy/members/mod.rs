//! Members of an organization and their permissions.

mod activity;
mod update;
mod offboarding;
mod dry_run;
mod entity;
mod removal;
mod ownership_transfer;
pub(crate) mod join;
mod list;
mod locking;
mod memberships;
mod ownership;
mod reassignment;
pub(crate) mod role_summary;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod member_roles;
mod referenced;
mod member_ref;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use sea_orm::{ActiveValue::Set, ColumnTrait, DerivePartialModel, PartialModelTrait};
use serde_json::json;

pub use activity::activity;
pub use dry_run::{MemberEffect, PermissionDiff};
pub use entity::Model as Member;
pub(crate) use entity::{Column, Entity};
pub(crate) use list::search;
pub use list::{MemberDetails, MemberFilter, MemberKey, MembershipState, exists, get, list};
pub(crate) use locking::{lock_active, lock_all, lock_one};
pub use member_ref::MemberRef;
pub(crate) use memberships::organizations_of;
pub use memberships::{UserMembership, default_organization, list_mine};
pub(crate) use memberships::{belongs, default_organizations};
pub(crate) use offboarding::{MembershipRecord, end_membership, memberships_of};
pub(crate) use ownership::{
    count_owned_teams, is_active_owner, lock_organizations, refuse_sole_owner, require_active_owner,
};
pub(crate) use ownership_transfer::{get_active, is_active, transfer_ownership};
pub use reassignment::try_set_permissions;
pub(crate) use reassignment::{effects_of_removal, remove_role};
pub(crate) use referenced::{ReferencedMembers, check_active};
pub(crate) use removal::leave;
pub use role_summary::RoleInfo;
pub(crate) use update::remove;
pub use update::{ExpectedMember, MemberChanges, try_update, update};

use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, MissingPermission},
        ids::{MemberId, MemberRoleId, RoleId, UserId},
        permissions::{
            Authorized, BuiltinRole, MembersRead, Membership, Permission, Platform, RequiredPermission,
            RoleGrants, RolesRead,
        },
    },
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
    tenancy::roles,
};

/// The status of a member who is neither suspended nor removed.
pub const ACTIVE: &str = "active";
/// The status of a removed member. The row stays, because other rows refer to it.
const REMOVED: &str = "removed";
/// The status of a suspended member, who has no permissions until they are reactivated.
pub(crate) const SUSPENDED: &str = "suspended";

/// Adds a user to the organization with one role.
///
/// # Errors
/// `CONFLICT` when the user is a member already.
pub(crate) async fn add(tx: &OrgTx<Platform>, user: UserId, role: BuiltinRole) -> Result<Member> {
    let member = insert(tx, user).await?;
    grant(tx, member.id, roles::builtin(tx, role).await?).await?;
    let facts = json!({ "user_id": user, "roles": [role.key()] });
    tx.record(Action::MemberAdded, member.id, EventDetails::created(facts)).await?;
    Ok(member)
}

/// Adds a new member, who has no roles yet.
async fn insert(tx: &OrgTx<Platform>, user: UserId) -> Result<Member> {
    let now = tx.now();
    tx.insert(entity::ActiveModel {
        id: Set(MemberId::new(now)),
        user_id: Set(user),
        status: Set(ACTIVE.to_owned()),
        joined_at: Set(now),
        removed_at: Set(None),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    })
    .await
}

async fn grant(tx: &OrgTx<Platform>, member: MemberId, role: RoleId) -> Result<()> {
    tx.require_existing::<roles::Entity>("role_id", role).await?;
    tx.insert(member_roles::ActiveModel {
        id: Set(MemberRoleId::new(tx.now())),
        member_id: Set(member),
        role_id: Set(role),
        granted_by: Set(None),
        created_at: Set(tx.now()),
        ..Default::default()
    })
    .await
    .map(drop)
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "member_roles::Entity")]
struct HeldRole {
    member_id: MemberId,
    #[sea_orm(nested)]
    role: Option<roles::Role>,
}

/// The roles of these members, each member's in the order in which they got them. `V` selects the columns.
async fn roles_of<P: RequiredPermission, V: PartialModelTrait + Send + Sync>(
    tx: &OrgTx<P>,
    members: impl IntoIterator<Item = MemberId>,
) -> Result<Vec<V>> {
    let held = tx.find::<member_roles::Entity>().filter(member_roles::Column::MemberId.is_in(members));
    held.join::<roles::Entity>().select_as(member_roles::Column::Id).await
}

/// Returns the number of members with each of these roles. Roles without members are left out. Suspended members count.
///
/// # Errors
/// Any database error.
pub async fn count_by_role(tx: &OrgTx<RolesRead>, roles: Vec<RoleId>) -> Result<HashMap<RoleId, u64>> {
    let held = member_roles::Column::RoleId.is_in(roles);
    let counts =
        tx.find::<member_roles::Entity>().filter(held).count_by(member_roles::Column::RoleId).await?;
    Ok(counts.into_iter().map(|(role, count)| (RoleId(role), count)).collect())
}

/// The permissions of a member, with the roles that grant them.
#[derive(Clone, Debug)]
pub struct MemberPermissions {
    /// The member.
    pub member: MemberId,
    /// The roles of the member.
    pub roles: Arc<[RoleGrants]>,
}

impl MemberPermissions {
    /// Returns every permission of the member with the keys of the roles that grant it.
    pub fn permissions(&self) -> Vec<(Permission, Vec<&str>)> {
        let from = |permission: Permission| -> Vec<&str> {
            let roles = self.roles.iter().filter(|role| role.permissions.contains(permission));
            roles.map(|role| role.key.as_str()).collect()
        };
        let all = Permission::ALL.iter().map(|permission| (*permission, from(*permission)));
        all.filter(|(_, roles)| !roles.is_empty()).collect()
    }
}

/// Returns the roles of a member with their permissions.
pub(crate) async fn grants_of<P: RequiredPermission>(
    tx: &OrgTx<P>,
    member: MemberId,
) -> Result<Vec<RoleGrants>> {
    let held: Vec<HeldRole> = roles_of(tx, [member]).await?;
    roles::grants(tx, held.into_iter().filter_map(|held| held.role).collect()).await
}

/// Returns the permissions of a member in the organization.
///
/// # Errors
/// `NotFound`, also for a member of another organization.
pub async fn permissions(tx: &OrgTx<MembersRead>, member: MemberId) -> Result<MemberPermissions> {
    exists(tx, member).await?;
    Ok(MemberPermissions { member, roles: grants_of(tx, member).await?.into() })
}

/// Checks that the caller has one more permission than the operation itself needs.
///
/// # Errors
/// `Forbidden`, with the caller's roles and the roles that include the permission.
pub(crate) async fn require_permission<P: RequiredPermission>(
    tx: &OrgTx<P>,
    permission: Permission,
) -> Result<()> {
    if tx.may(permission) {
        return Ok(());
    }
    let roles_held = tx.facts().roles.iter().map(|role| role.key.clone()).collect();
    let roles_that_grant = roles::keys_granting(tx, permission).await?;
    Err(Error::Forbidden(Box::new(MissingPermission { permission, roles_held, roles_that_grant })))
}

/// Returns the permissions of the caller in the organization, as they were looked up for the request.
///
/// # Errors
/// `NOT_A_MEMBER` for superusers.
pub fn my_permissions(proof: &Authorized<Membership>) -> Result<MemberPermissions> {
    let facts = proof.facts();
    let member = facts.member.ok_or(ErrorCode::NotAMember.refuse())?;
    Ok(MemberPermissions { member, roles: Arc::clone(&facts.roles) })
}
