//! A person's own view across organizations: where he belongs, and where he works unless he says otherwise.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    DbErr, FromQueryResult, QueryResult,
    sea_query::{Asterisk, Expr, ExprTrait, JoinType, Order, Query, SelectStatement},
};

use super::{RoleSummary, entity, member_roles, role_summary};
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

/// One organization of a person, and his place in it.
#[derive(Clone, Debug)]
pub struct UserMembership {
    /// The organization.
    pub organization: Organization,
    /// The membership.
    pub member: MemberId,
    /// `active` or `suspended`.
    pub status: String,
    /// Since when.
    pub joined_at: DateTime<Utc>,
    /// The roles he holds.
    pub roles: Vec<RoleSummary>,
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

/// The memberships of these people in living organizations, the oldest first.
fn theirs(users: impl IntoIterator<Item = UserId>) -> SelectStatement {
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

/// One page of the organizations a person belongs to, the one he joined first foremost. Where he is suspended he
/// belongs still; where he was removed, or what was deleted, is not listed.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list_mine(db: &Db, user: UserId, listing: PageRequest<()>) -> Result<Page<UserMembership>> {
    let mut query = theirs([user]);
    query
        .column((organizations::Entity, Asterisk))
        .expr_as(Expr::col(member(entity::Column::Id)), "member")
        .expr_as(Expr::col(member(entity::Column::Status)), "member_status")
        .expr_as(Expr::col(member(entity::Column::JoinedAt)), "member_joined_at")
        // One more than asked for: it tells whether there is a next page.
        .limit(listing.limit + 1);
    if let Some(CursorPosition { key: SortValue::Instant(joined_at), id }) = listing.after {
        let row =
            Expr::tuple([Expr::col(member(entity::Column::JoinedAt)), Expr::col(member(entity::Column::Id))]);
        query.and_where(row.gt(Expr::tuple([Expr::value(joined_at), Expr::value(id)])));
    }
    #[expect(clippy::disallowed_methods, reason = "a person reads where he belongs, across organizations")]
    let tx = db.unscoped().await?;
    let mut data: Vec<UserMembership> = tx.rows(&query).await?;
    let more = data.len() as u64 > listing.limit;
    data.truncate(usize::try_from(listing.limit).unwrap_or(usize::MAX));
    let members = data.iter().map(|mine| mine.member);
    let mut roles = role_summary::across::<member_roles::Entity, _>(&tx, members).await?;
    for mine in &mut data {
        mine.roles = roles.remove(&mine.member).unwrap_or_default();
    }
    let place =
        |last: &UserMembership| CursorPosition { key: SortValue::Instant(last.joined_at), id: last.member.0 };
    let next = data.last().filter(|_| more).map(place);
    Ok(Page { data, next })
}

#[derive(FromQueryResult)]
struct Place {
    user_id: UserId,
    id: OrgId,
}

/// The living organizations where these people are active members, the oldest membership first.
fn workplaces(users: impl IntoIterator<Item = UserId>) -> SelectStatement {
    let mut query = theirs(users);
    query
        .column(member(entity::Column::UserId))
        .column(organization(organizations::Column::Id))
        .and_where(Expr::col(member(entity::Column::Status)).eq(super::ACTIVE));
    query
}

/// Where a person works unless he says otherwise: what he chose, while he is an active member there; else where he has
/// been for the longest time.
///
/// # Errors
/// Whatever the database refuses.
pub async fn default_organization(db: &Db, user: &User) -> Result<Option<OrgId>> {
    #[expect(clippy::disallowed_methods, reason = "a person reads where he belongs, across organizations")]
    let tx = db.unscoped().await?;
    let mut chosen = default_organizations(&tx, std::slice::from_ref(user)).await?;
    Ok(chosen.remove(&user.id))
}

/// As [`default_organization`], of several people by one query; who belongs nowhere is not among them.
pub(crate) async fn default_organizations(tx: &Unscoped, users: &[User]) -> Result<HashMap<UserId, OrgId>> {
    let places: Vec<Place> = tx.rows(&workplaces(users.iter().map(|user| user.id))).await?;
    let chosen: HashMap<_, _> = users.iter().map(|user| (user.id, user.default_organization_id)).collect();
    let mut defaults = HashMap::new();
    for Place { user_id, id } in places {
        let first = *defaults.entry(user_id).or_insert(id);
        let is_chosen = chosen.get(&user_id).is_some_and(|chosen| *chosen == Some(id));
        defaults.insert(user_id, if is_chosen { id } else { first });
    }
    Ok(defaults)
}

/// Is a person an active member of a living organization?
pub(crate) async fn belongs(tx: &GlobalTx, user: UserId, org: OrgId) -> Result<bool> {
    let mut query = workplaces([user]);
    query.and_where(Expr::col(organization(organizations::Column::Id)).eq(org));
    #[expect(clippy::disallowed_methods, reason = "a user names one of their organizations")]
    let places: Vec<Place> = tx.query_across_orgs(&query).await?;
    Ok(!places.is_empty())
}
