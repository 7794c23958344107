//! That no organization loses its last owner: whoever may lower their number locks the organizations, acts, counts.

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
struct Belonging {
    id: OrgId,
}

/// Locks the organization, so that of two who would take its last owners away the second sees the first one gone. To be
/// called before anything else of it is locked.
///
/// # Errors
/// `NotFound` when it was deleted meanwhile; `Unavailable` when another writer holds it too long.
pub(crate) async fn lock<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Organization> {
    tx.find::<organizations::Entity>().one_locked().await
}

/// Refuses what has left the organization without an active owner. [`lock`] was called before.
///
/// # Errors
/// `LAST_OWNER`.
pub(crate) async fn refuse_none_left<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<()> {
    match active_owners(tx, Condition::all()).await? {
        0 => Err(ErrorCode::LastOwner.refuse()),
        _ => Ok(()),
    }
}

/// Is the member an active owner?
pub(crate) async fn is_active_owner<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Result<bool> {
    Ok(active_owners(tx, Condition::all().add(entity::Column::Id.eq(member))).await? > 0)
}

/// How many active owners there are among the members that `condition` names.
async fn active_owners<P: RequiredPermission>(tx: &OrgTx<P>, condition: Condition) -> Result<u64> {
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

/// Locks every organization the person is an active member of, his own among them, so that of two who leave a team at once
/// the second sees the first one gone. Before his own row: whoever needs both takes them in this order. Deleted ones too:
/// whoever brings one back meanwhile counts its owners.
///
/// # Errors
/// `Unavailable` when another writer holds one too long.
pub(crate) async fn lock_organizations(tx: &GlobalTx, user: UserId) -> Result<Vec<OrgId>> {
    let memberships = belongings(tx, active(user)).await?;
    organizations::lock_each(tx, memberships.into_iter().collect()).await
}

/// Refuses to take an active person away where he is the only active owner. `locked`: what [`lock_organizations`]
/// gave; his own row must be locked since, so that he joins nothing meanwhile.
///
/// # Errors
/// `LAST_OWNER` naming the organizations; `CONFLICT` when he joined another one at the same time.
pub(crate) async fn refuse_last(tx: &GlobalTx, user: UserId, locked: &[OrgId]) -> Result<()> {
    if belongings(tx, his_living_teams(user)).await?.iter().any(|org| !locked.contains(org)) {
        return Err(ErrorCode::Conflict.refuse());
    }
    #[expect(clippy::disallowed_methods, reason = "counts the owners of every organization the person is in")]
    let owners: Vec<Owner> = tx.query_across_orgs(&owners_beside(user)).await?;
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

/// How many living teams the person owns.
pub(crate) async fn owned(tx: &GlobalTx, user: UserId) -> Result<u64> {
    #[expect(clippy::disallowed_methods, reason = "counts what one person owns, wherever that is")]
    let owners: Vec<Owner> = tx.query_across_orgs(&owners_beside(user)).await?;
    Ok(owners.iter().filter(|owner| owner.user_id == user).count() as u64)
}

/// The organizations that `condition` names of those the person belongs to, by id.
async fn belongings(tx: &GlobalTx, condition: Condition) -> Result<Vec<OrgId>> {
    let mut query = Query::select();
    query
        .column((organizations::Entity, organizations::Column::Id))
        .from(entity::Entity)
        .join(JoinType::InnerJoin, organizations::Entity, of_member())
        .cond_where(condition)
        .order_by((organizations::Entity, organizations::Column::Id), Order::Asc);
    #[expect(clippy::disallowed_methods, reason = "finds the organizations a person belongs to")]
    let found: Vec<Belonging> = tx.query_across_orgs(&query).await?;
    Ok(found.into_iter().map(|belonging| belonging.id).collect())
}

fn of_member() -> Condition {
    let organization = (organizations::Entity, organizations::Column::Id);
    Condition::all().add(Expr::col((entity::Entity, entity::Column::OrganizationId)).equals(organization))
}

/// The active memberships of a person.
fn active(user: UserId) -> Condition {
    Condition::all()
        .add(Expr::col((entity::Entity, entity::Column::UserId)).eq(user))
        .add(Expr::col((entity::Entity, entity::Column::Status)).eq(super::ACTIVE))
}

fn his_living_teams(user: UserId) -> Condition {
    active(user)
        .add(Expr::col((organizations::Entity, organizations::Column::Kind)).eq(organizations::TEAM))
        .add(Expr::col((organizations::Entity, organizations::Column::DeletedAt)).is_null())
}

#[derive(FromQueryResult)]
struct Owner {
    slug: String,
    user_id: UserId,
}

/// Every active owner of every team the person is an active member of.
fn owners_beside(user: UserId) -> SelectStatement {
    // The same table twice: his membership, and that of each owner.
    const OWNER: &str = "owner";
    use member_roles::Column as Held;
    use roles::Column as Role;
    let owner = |column: entity::Column| (OWNER, column);
    let held = |column: Held| (member_roles::Entity, column);
    let role = |column: Role| (roles::Entity, column);
    let person = |column: users::Column| (users::Entity, column);
    let mut query = Query::select();
    query
        .distinct()
        .column((organizations::Entity, organizations::Column::Slug))
        .column(owner(entity::Column::UserId))
        .from(entity::Entity)
        .join(JoinType::InnerJoin, organizations::Entity, of_member())
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
                .add(Expr::col(person(users::Column::Id)).equals(owner(entity::Column::UserId)))
                .add(Expr::col(person(users::Column::IsActive)).eq(true))
                .add(Expr::col(person(users::Column::DeletedAt)).is_null()),
        )
        .cond_where(his_living_teams(user));
    query
}
