//! Every organization keeps at least one active owner. Operations that can reduce the number of owners lock the organization,
//! make the change and count the owners.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Order, Query, SelectStatement},
};

use super::{entity, member_roles};
use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::{MemberId, OrgId, UserId},
        permissions::{BuiltinRole, RequiredPermission},
    },
    identity::users,
    storage::db::{GlobalTx, OrgTx},
    tenancy::{
        organizations::{self, Organization},
        roles,
    },
};

#[derive(FromQueryResult)]
struct OrgIdRow {
    id: OrgId,
}

/// Locks the organization, so that two operations cannot remove its last two owners at the same time. Call it before any other
/// lock in the organization.
///
/// # Errors
/// `NotFound` when it was deleted in the meantime; `Unavailable` when another writer holds the lock too long.
pub(crate) async fn lock<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Organization> {
    tx.find::<organizations::Entity>().one_locked().await
}

/// Fails if the organization has no active owner after a change. Requires [`lock`].
///
/// # Errors
/// `LAST_OWNER`.
pub(crate) async fn require_active_owner<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<()> {
    match count_active_owners(tx, Condition::all()).await? {
        0 => Err(ErrorCode::LastOwner.refuse()),
        _ => Ok(()),
    }
}

/// Returns whether the member is an active owner.
pub(crate) async fn is_active_owner<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Result<bool> {
    Ok(count_active_owners(tx, Condition::all().add(entity::Column::Id.eq(member))).await? > 0)
}

/// Counts the active owners among the members that match `condition`.
async fn count_active_owners<P: RequiredPermission>(tx: &OrgTx<P>, condition: Condition) -> Result<u64> {
    let owner = roles::Column::Key.eq(BuiltinRole::Owner.key());
    let role = tx.find::<roles::Entity>().filter(owner).one().await?;
    let owners = tx
        .find::<entity::Entity>()
        .filter(condition.add(entity::Column::Status.eq(super::ACTIVE)))
        .where_in::<member_roles::Entity>(
            entity::Column::Id,
            member_roles::Column::MemberId,
            member_roles::Column::RoleId.eq(role.id),
        )
        .with::<users::Entity>()
        .filter(users::Column::IsActive.eq(true).and(users::Column::DeletedAt.is_null()));
    owners.count().await
}

/// Locks every organization where the user is an active member, with the personal one, so that two owners cannot leave a team
/// at the same time. Call it before the row of the user is locked, which is the order of locks. It also locks deleted
/// organizations, because a concurrent restore counts their owners.
///
/// # Errors
/// `Unavailable` when another writer holds a lock too long.
pub(crate) async fn lock_organizations(tx: &GlobalTx, user: UserId) -> Result<Vec<OrgId>> {
    let memberships = find_organizations(tx, active_memberships(user)).await?;
    organizations::lock_each(tx, memberships.into_iter().collect()).await
}

/// Fails if the user is the only active owner of a team. `locked`: the result of [`lock_organizations`]. The row of the user
/// must be locked too, so that they cannot join another organization in the meantime.
///
/// # Errors
/// `LAST_OWNER` with the slugs of the organizations; `CONFLICT` when the user joined another one at the same time.
pub(crate) async fn refuse_sole_owner(tx: &GlobalTx, user: UserId, locked: &[OrgId]) -> Result<()> {
    if find_organizations(tx, active_teams(user)).await?.iter().any(|org| !locked.contains(org)) {
        return Err(ErrorCode::Conflict.refuse());
    }
    #[expect(clippy::disallowed_methods, reason = "counts the owners of every organization of the user")]
    let owners: Vec<TeamOwner> = tx.query_across_orgs(&owners_of_teams(user)).await?;
    let mut by_slug = BTreeMap::<String, Vec<UserId>>::new();
    for owner in owners {
        by_slug.entry(owner.slug).or_default().push(owner.user_id);
    }
    let orphaned: Vec<_> =
        by_slug.into_iter().filter_map(|(slug, owners)| (owners == [user]).then_some(slug)).collect();
    match orphaned.is_empty() {
        true => Ok(()),
        false => Err(Error::LastOwner(orphaned)),
    }
}

/// Counts the teams that the user owns, without deleted ones.
pub(crate) async fn count_owned_teams(tx: &GlobalTx, user: UserId) -> Result<u64> {
    #[expect(clippy::disallowed_methods, reason = "counts the organizations of one user")]
    let owners: Vec<TeamOwner> = tx.query_across_orgs(&owners_of_teams(user)).await?;
    Ok(owners.iter().filter(|owner| owner.user_id == user).count() as u64)
}

/// Returns the ids of the organizations whose memberships match `condition`, sorted.
async fn find_organizations(tx: &GlobalTx, condition: Condition) -> Result<Vec<OrgId>> {
    let mut query = Query::select();
    query
        .column((organizations::Entity, organizations::Column::Id))
        .from(entity::Entity)
        .join(JoinType::InnerJoin, organizations::Entity, organization_of_member())
        .cond_where(condition)
        .order_by((organizations::Entity, organizations::Column::Id), Order::Asc);
    #[expect(clippy::disallowed_methods, reason = "finds the organizations of a user")]
    let rows: Vec<OrgIdRow> = tx.query_across_orgs(&query).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

fn organization_of_member() -> Condition {
    let organization = (organizations::Entity, organizations::Column::Id);
    Condition::all().add(Expr::col((entity::Entity, entity::Column::OrganizationId)).equals(organization))
}

/// Returns the condition for the active memberships of a user.
fn active_memberships(user: UserId) -> Condition {
    Condition::all()
        .add(Expr::col((entity::Entity, entity::Column::UserId)).eq(user))
        .add(Expr::col((entity::Entity, entity::Column::Status)).eq(super::ACTIVE))
}

/// Returns the condition for the active memberships of a user in teams that are not deleted.
fn active_teams(user: UserId) -> Condition {
    active_memberships(user)
        .add(Expr::col((organizations::Entity, organizations::Column::Kind)).eq(organizations::TEAM))
        .add(Expr::col((organizations::Entity, organizations::Column::DeletedAt)).is_null())
}

#[derive(FromQueryResult)]
struct TeamOwner {
    slug: String,
    user_id: UserId,
}

/// Selects every active owner of every team where the user is an active member.
fn owners_of_teams(user: UserId) -> SelectStatement {
    // The table is joined twice: the membership of the user, and that of each owner.
    const OWNER: &str = "owner";
    use member_roles::Column as Held;
    use roles::Column as Role;
    let owner = |column: entity::Column| (OWNER, column);
    let held = |column: Held| (member_roles::Entity, column);
    let role = |column: Role| (roles::Entity, column);
    let user_column = |column: users::Column| (users::Entity, column);
    let mut query = Query::select();
    query
        .distinct()
        .column((organizations::Entity, organizations::Column::Slug))
        .column(owner(entity::Column::UserId))
        .from(entity::Entity)
        .join(JoinType::InnerJoin, organizations::Entity, organization_of_member())
        .join_as(
            JoinType::InnerJoin,
            entity::Entity,
            OWNER,
            Condition::all()
                .add(
                    Expr::col(owner(entity::Column::OrganizationId))
                        .equals((organizations::Entity, organizations::Column::Id)),
                )
                .add(Expr::col(owner(entity::Column::Status)).eq(super::ACTIVE)),
        )
        .join(
            JoinType::InnerJoin,
            member_roles::Entity,
            Condition::all()
                .add(Expr::col(held(Held::OrganizationId)).equals(owner(entity::Column::OrganizationId)))
                .add(Expr::col(held(Held::MemberId)).equals(owner(entity::Column::Id))),
        )
        .join(
            JoinType::InnerJoin,
            roles::Entity,
            Condition::all()
                .add(Expr::col(role(Role::OrganizationId)).equals(held(Held::OrganizationId)))
                .add(Expr::col(role(Role::Id)).equals(held(Held::RoleId)))
                .add(Expr::col(role(Role::Key)).eq(BuiltinRole::Owner.key()))
                .add(Expr::col(role(Role::DeletedAt)).is_null()),
        )
        .join(
            JoinType::InnerJoin,
            users::Entity,
            Condition::all()
                .add(Expr::col(user_column(users::Column::Id)).equals(owner(entity::Column::UserId)))
                .add(Expr::col(user_column(users::Column::IsActive)).eq(true))
                .add(Expr::col(user_column(users::Column::DeletedAt)).is_null()),
        )
        .cond_where(active_teams(user));
    query
}
