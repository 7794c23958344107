//! Roles as members and invited users see them.

use std::{collections::HashMap, hash::Hash};

use sea_orm::{
    Condition, DbErr, DerivePartialModel, EntityTrait, FromQueryResult, QueryResult, TryGetable, Value,
    sea_query::{Expr, ExprTrait, JoinType, Order, Query},
};

use crate::{Result, base::ids::RoleId, storage::db::Unscoped, tenancy::roles};

/// A role without its permissions.
#[derive(Clone, Debug, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "roles::Entity")]
pub struct RoleSummary {
    /// UUIDv7.
    pub id: RoleId,
    /// Stable key for programs, such as `admin`.
    pub key: String,
    /// Display name.
    pub name: String,
}

/// The columns of a table that links roles to holders, such as members.
pub(crate) struct Links<E: EntityTrait> {
    pub(crate) id: E::Column,
    pub(crate) organization: E::Column,
    /// The member or invitation with the role.
    pub(crate) holder: E::Column,
    pub(crate) role: E::Column,
}

struct Link<K> {
    holder: K,
    role: RoleSummary,
}

impl<K: TryGetable> FromQueryResult for Link<K> {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            holder: row.try_get(prefix, "holder")?,
            role: RoleSummary::from_query_result(row, prefix)?,
        })
    }
}

/// Returns the roles of each of these holders in any organization, without deleted ones, in the order in which they were
/// granted.
pub(crate) async fn across<E, K>(
    tx: &Unscoped,
    links: Links<E>,
    holders: impl Iterator<Item = K>,
) -> Result<HashMap<K, Vec<RoleSummary>>>
where
    E: EntityTrait + Default,
    K: TryGetable + Into<Value> + Eq + Hash + Send + Sync,
{
    let link = |column: E::Column| Expr::col((E::default(), column));
    let role = |column: roles::Column| (roles::Entity, column);
    let same_role = Condition::all()
        .add(Expr::col(role(roles::Column::OrganizationId)).eq(link(links.organization)))
        .add(Expr::col(role(roles::Column::Id)).eq(link(links.role)))
        .add(Expr::col(role(roles::Column::DeletedAt)).is_null());
    let mut query = Query::select();
    query
        .expr_as(link(links.holder), "holder")
        .columns([role(roles::Column::Id), role(roles::Column::Key), role(roles::Column::Name)])
        .from(E::default())
        .join(JoinType::InnerJoin, roles::Entity, same_role)
        .and_where(link(links.holder).is_in(holders))
        .order_by((E::default(), links.id), Order::Asc);
    let mut held = HashMap::<_, Vec<_>>::new();
    for Link { holder, role } in tx.rows::<Link<K>>(&query).await? {
        held.entry(holder).or_default().push(role);
    }
    Ok(held)
}
