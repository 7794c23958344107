//! The memberships of a user across organizations, and their default organization.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    DbErr, FromQueryResult, QueryResult,
    sea_query::{Asterisk, Expr, ExprTrait, JoinType, Order, Query, SelectStatement},
};

use super::{RoleInfo, entity, member_roles, role_summary};
use crate::{
    Result,
    base::{
        ids::{MemberId, OrgId, UserId},
        pagination::{CursorPosition, Page, PageRequest, SortValue},
    },
    identity::users::User,
    storage::db::{Db, GlobalTx, Unscoped},
    tenancy::organizations::{self, Organization},
};

/// One organization of a user, and their membership in it.
#[derive(Clone, Debug)]
pub struct UserMembership {
    /// The organization.
    pub organization: Organization,
    /// The membership.
    pub member: MemberId,
    /// `active` or `suspended`.
    pub status: String,
    /// When the user joined.
    pub joined_at: DateTime<Utc>,
    /// The roles of the member.
    pub roles: Vec<RoleInfo>,
}

impl FromQueryResult for UserMembership {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            organization: Organization::from_query_result(row, prefix)?,
            member: row.try_get("", "member")?,
            status: row.try_get("", "member_status")?,
            joined_at: row.try_get("", "member_joined_at")?,
            roles: Vec::new(),
        })
    }
}

fn member(column: entity::Column) -> (entity::Entity, entity::Column) {
    (entity::Entity, column)
}

fn organization(column: organizations::Column) -> (organizations::Entity, organizations::Column) {
    (organizations::Entity, column)
}

/// Selects the memberships of these users in organizations that are not deleted, the oldest first.
fn memberships_query(users: impl IntoIterator<Item = UserId>) -> SelectStatement {
    let id = organization(organizations::Column::Id);
    let mut query = Query::select();
    query
        .from(entity::Entity)
        .join(
            JoinType::InnerJoin,
            organizations::Entity,
            Expr::col(member(entity::Column::OrganizationId)).equals(id),
        )
        .and_where(Expr::col(member(entity::Column::UserId)).is_in(users))
        .and_where(Expr::col(member(entity::Column::Status)).ne(super::REMOVED))
        .and_where(Expr::col(organization(organizations::Column::DeletedAt)).is_null())
        .order_by(member(entity::Column::JoinedAt), Order::Asc)
        .order_by(member(entity::Column::Id), Order::Asc);
    query
}

/// Returns one page of the organizations of a user, the oldest membership first. It includes suspended memberships, and
/// leaves out removed memberships and deleted organizations.
///
/// # Errors
/// Any database error.
pub async fn list_mine(db: &Db, user: UserId, request: PageRequest<()>) -> Result<Page<UserMembership>> {
    #[expect(clippy::disallowed_methods, reason = "users read their own memberships, across organizations")]
    let tx = db.unscoped().await?;
    organizations_of(&tx, user, request).await
}

/// Returns one page of the organizations of a user, as [`list_mine`].
pub(crate) async fn organizations_of(
    tx: &Unscoped,
    user: UserId,
    request: PageRequest<()>,
) -> Result<Page<UserMembership>> {
    let mut query = memberships_query([user]);
    query
        .column((organizations::Entity, Asterisk))
        .expr_as(Expr::col(member(entity::Column::Id)), "member")
        .expr_as(Expr::col(member(entity::Column::Status)), "member_status")
        .expr_as(Expr::col(member(entity::Column::JoinedAt)), "member_joined_at")
        // One row more than requested shows whether there is a next page.
        .limit(request.limit + 1);
    if let Some(CursorPosition { key: SortValue::Instant(joined_at), id }) = request.after {
        let row =
            Expr::tuple([Expr::col(member(entity::Column::JoinedAt)), Expr::col(member(entity::Column::Id))]);
        query.and_where(row.gt(Expr::tuple([Expr::value(joined_at), Expr::value(id)])));
    }
    let mut data: Vec<UserMembership> = tx.rows(&query).await?;
    let has_more = data.len() as u64 > request.limit;
    data.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
    let members = data.iter().map(|membership| membership.member);
    let mut roles = role_summary::across::<member_roles::Entity, _>(tx, members).await?;
    for membership in &mut data {
        membership.roles = roles.remove(&membership.member).unwrap_or_default();
    }
    let position =
        |last: &UserMembership| CursorPosition { key: SortValue::Instant(last.joined_at), id: last.member.0 };
    let next = data.last().filter(|_| has_more).map(position);
    Ok(Page { data, next })
}

#[derive(FromQueryResult)]
struct UserOrg {
    user_id: UserId,
    id: OrgId,
}

/// Selects the organizations where these users are active members and that are not deleted, the oldest membership first.
fn active_orgs_query(users: impl IntoIterator<Item = UserId>) -> SelectStatement {
    let mut query = memberships_query(users);
    query
        .column(member(entity::Column::UserId))
        .column(organization(organizations::Column::Id))
        .and_where(Expr::col(member(entity::Column::Status)).eq(super::ACTIVE));
    query
}

/// Returns the default organization of a user: the chosen one while they are an active member there, otherwise the one with
/// the oldest active membership. `None` without an active membership.
///
/// # Errors
/// Any database error.
pub async fn default_organization(db: &Db, user: &User) -> Result<Option<OrgId>> {
    #[expect(clippy::disallowed_methods, reason = "users read their own memberships, across organizations")]
    let tx = db.unscoped().await?;
    let mut defaults = default_organizations(&tx, std::slice::from_ref(user)).await?;
    Ok(defaults.remove(&user.id))
}

/// Returns the default organizations of several users, as [`default_organization`], with one query. Users without an active
/// membership are left out.
pub(crate) async fn default_organizations(tx: &Unscoped, users: &[User]) -> Result<HashMap<UserId, OrgId>> {
    let orgs: Vec<UserOrg> = tx.rows(&active_orgs_query(users.iter().map(|user| user.id))).await?;
    let chosen: HashMap<_, _> = users.iter().map(|user| (user.id, user.default_organization_id)).collect();
    let mut defaults = HashMap::new();
    for UserOrg { user_id, id } in orgs {
        let first = *defaults.entry(user_id).or_insert(id);
        let is_chosen = chosen.get(&user_id).is_some_and(|chosen| *chosen == Some(id));
        defaults.insert(user_id, if is_chosen { id } else { first });
    }
    Ok(defaults)
}

/// Returns whether a user is an active member of an organization that is not deleted.
pub(crate) async fn belongs(tx: &GlobalTx, user: UserId, org: OrgId) -> Result<bool> {
    let mut query = active_orgs_query([user]);
    query.and_where(Expr::col(organization(organizations::Column::Id)).eq(org));
    #[expect(clippy::disallowed_methods, reason = "a user names one of their organizations")]
    let orgs: Vec<UserOrg> = tx.query_across_orgs(&query).await?;
    Ok(!orgs.is_empty())
}
