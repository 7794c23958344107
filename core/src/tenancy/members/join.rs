//! How people who were invited come in, and who may still vouch for them.

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
        audit::{Action, Details},
        db::OrgTx,
    },
};

/// Whom of these people the organization has for a member already, active or suspended.
pub(crate) async fn belonging<P: RequiredPermission>(
    tx: &OrgTx<P>,
    people: Vec<UserId>,
) -> Result<Vec<UserId>> {
    let members =
        tx.find::<Entity>().filter(Column::Status.ne(REMOVED)).all_of(Column::UserId, people).await?;
    Ok(members.into_iter().map(|member| member.user_id).collect())
}

/// Takes a person in, with exactly these roles, given by `granted_by`; `None`: by an operator of the platform. Whoever
/// was a member once is the same one again. The organization is locked.
///
/// # Errors
/// `ALREADY_MEMBER`, also of one who is suspended.
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
    let held = |role: &RoleGrants| member_roles::ActiveModel {
        id: Set(MemberRoleId::new(now)),
        member_id: Set(member.id),
        role_id: Set(role.id),
        granted_by: Set(granted_by),
        created_at: Set(now),
        ..Default::default()
    };
    if !roles.is_empty() {
        tx.insert_many(roles.iter().map(held).collect()).await?;
    }
    let keys: Vec<_> = roles.iter().map(|role| &role.key).collect();
    let facts = json!({ "user_id": user, "roles": keys, "invitation_id": invitation });
    tx.record(Action::MemberAdded, member.id, Details::created(facts)).await?;
    Ok(member)
}

/// May the member still invite, and give what `given` allow? Asked when his word counts, not when he gave it.
///
/// # Errors
/// `INVITATION_UNSUPPORTED`.
pub(crate) async fn refuse_unsupported<P: RequiredPermission>(
    tx: &OrgTx<P>,
    member: MemberId,
    given: &[RoleGrants],
) -> Result<()> {
    let unsupported = ErrorCode::InvitationUnsupported;
    let active = Condition::all().add(Column::Id.eq(member)).add(Column::Status.eq(ACTIVE));
    let inviter = tx.find::<Entity>().filter(active).with::<users::Entity>();
    let inviter = inviter.filter(users::Column::IsActive.eq(true).and(users::Column::DeletedAt.is_null()));
    if inviter.count().await? == 0 {
        return Err(unsupported.refuse());
    }
    let position = MembershipAccess { roles: grants_of(tx, member).await?, ..MembershipAccess::default() };
    let (held, is_owner) = (position.held(), position.is_owner());
    let facts = ActorAccess { member: Some(member), held, is_owner, is_recent: false };
    let given = MembershipAccess { roles: given.to_vec(), ..MembershipAccess::default() };
    match held.contains(Permission::MembersInvite) {
        true => facts.refuse_escalation(given.held(), given.is_owner()).map_err(|_| unsupported.refuse()),
        false => Err(unsupported.refuse()),
    }
}
