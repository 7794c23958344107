//! Invited users join an organization, if their inviter can still grant the roles.

use std::sync::Arc;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, sea_query::ExprTrait};
use serde_json::json;

pub(crate) use super::ownership::lock;
use super::{ACTIVE, Column, Entity, Member, REMOVED, entity, grants_of, member_roles};
use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::{InvitationId, MemberId, MemberRoleId, UserId},
        permissions::{ActorAccess, MembershipAccess, Permission, Platform, RequiredPermission, RoleGrants},
    },
    identity::users,
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
};

/// Returns those of these users who are members already, active or suspended.
pub(crate) async fn current_members<P: RequiredPermission>(
    tx: &OrgTx<P>,
    users: Vec<UserId>,
) -> Result<Vec<UserId>> {
    let members =
        tx.find::<Entity>().filter(Column::Status.ne(REMOVED)).all_of(Column::UserId, users).await?;
    Ok(members.into_iter().map(|member| member.user_id).collect())
}

/// Adds a user as a member with exactly these roles. `granted_by`: the inviter, `None` for a superuser. A removed member gets
/// the same membership again. The organization must be locked.
///
/// # Errors
/// `ALREADY_MEMBER`, also for a suspended member.
pub(crate) async fn join(
    tx: &OrgTx<Platform>,
    user: UserId,
    roles: &[RoleGrants],
    granted_by: Option<MemberId>,
    invitation: InvitationId,
) -> Result<Member> {
    let now = tx.now();
    let before = tx.find::<Entity>().filter(Column::UserId.eq(user)).all().await?.into_iter().next();
    let member = match before {
        Some(member) if member.status != REMOVED => return Err(ErrorCode::AlreadyMember.refuse()),
        Some(member) => {
            tx.delete::<member_roles::Entity>(member_roles::Column::MemberId.eq(member.id)).await?;
            tx.update(entity::ActiveModel {
                id: Set(member.id),
                status: Set(ACTIVE.to_owned()),
                joined_at: Set(now),
                removed_at: Set(None),
                version: Set(member.version + 1),
                updated_at: Set(now),
                ..Default::default()
            })
            .await?
        }
        None => super::insert(tx, user).await?,
    };
    let row = |role: &RoleGrants| member_roles::ActiveModel {
        id: Set(MemberRoleId::new(now)),
        member_id: Set(member.id),
        role_id: Set(role.id),
        granted_by: Set(granted_by),
        created_at: Set(now),
        ..Default::default()
    };
    if !roles.is_empty() {
        tx.insert_many(roles.iter().map(row).collect()).await?;
    }
    let keys: Vec<_> = roles.iter().map(|role| &role.key).collect();
    let facts = json!({ "user_id": user, "roles": keys, "invitation_id": invitation });
    tx.record(Action::MemberAdded, member.id, EventDetails::created(facts)).await?;
    Ok(member)
}

/// Checks that the inviter can still invite members and grant these roles. It runs on acceptance: the permissions at that
/// time count, not those at the time of the invitation.
///
/// # Errors
/// `INVITATION_UNSUPPORTED`.
pub(crate) async fn check_inviter<P: RequiredPermission>(
    tx: &OrgTx<P>,
    member: MemberId,
    granted: &[RoleGrants],
) -> Result<()> {
    let unsupported = ErrorCode::InvitationUnsupported;
    let active = Condition::all().add(Column::Id.eq(member)).add(Column::Status.eq(ACTIVE));
    let inviter = tx.find::<Entity>().filter(active).with::<users::Entity>();
    let inviter = inviter.filter(users::Column::IsActive.eq(true).and(users::Column::DeletedAt.is_null()));
    if inviter.count().await? == 0 {
        return Err(unsupported.refuse());
    }
    let access =
        MembershipAccess { roles: grants_of(tx, member).await?.into(), ..MembershipAccess::default() };
    let (held, is_owner) = (access.held(), access.is_owner());
    let roles = Arc::clone(&access.roles);
    let facts = ActorAccess { member: Some(member), roles, held, is_owner, is_recent: false };
    let granted = MembershipAccess { roles: granted.into(), ..MembershipAccess::default() };
    match held.contains(Permission::MembersInvite) {
        true => facts.refuse_escalation(granted.held(), granted.is_owner()).map_err(|_| unsupported.refuse()),
        false => Err(unsupported.refuse()),
    }
}
