//! Roles as members and invited users see them.

use std::{collections::HashMap, hash::Hash};

use sea_orm::{
    Condition, DbErr, DerivePartialModel, FromQueryResult, QueryResult, TryGetable, Value,
    sea_query::{Expr, ExprTrait, JoinType, Order, Query},
};

use crate::{
    Result,
    base::{ids::RoleId, permissions::RoleGrants},
    storage::db::{TenantTable, Unscoped},
    tenancy::roles::{self, Role},
};

/// A role without its permissions.
#[derive(Clone, Debug, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "roles::Entity")]
pub struct RoleInfo {
    /// UUIDv7.
    pub id: RoleId,
    /// Stable key for programs, such as `admin`.
    pub key: String,
    /// Display name.
    pub name: String,
}

impl From<RoleGrants> for RoleInfo {
    fn from(role: RoleGrants) -> Self {
        Self { id: role.id, key: role.key, name: role.name }
    }
}

impl From<Role> for RoleInfo {
    fn from(role: Role) -> Self {
        Self { id: role.id, key: role.key, name: role.name }
    }
}

/// A table of which each row gives a role to a holder: a member or an invitation.
pub(crate) trait RoleLinks: TenantTable {
    /// The column of the holder.
    const HOLDER: Self::Column;
    /// The column of the role.
    const ROLE: Self::Column;
}

struct Link<K> {
    holder: K,
    role: RoleInfo,
}

impl<K: TryGetable> FromQueryResult for Link<K> {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self { holder: row.try_get(prefix, "holder")?, role: RoleInfo::from_query_result(row, prefix)? })
    }
}

/// The living roles of each of these holders, whatever their organizations, in the order in which they were given.
pub(crate) async fn across<E: RoleLinks, K>(
    tx: &Unscoped,
    holders: impl Iterator<Item = K>,
) -> Result<HashMap<K, Vec<RoleInfo>>>
where
    K: TryGetable + Into<Value> + Eq + Hash + Send + Sync,
{
    let link = |column: E::Column| Expr::col((E::default(), column));
    let role = |column: roles::Column| (roles::Entity, column);
    let same_role = Condition::all()
        .add(Expr::col(role(roles::Column::OrganizationId)).eq(link(E::ORG)))
        .add(Expr::col(role(roles::Column::Id)).eq(link(E::ROLE)))
        .add(Expr::col(role(roles::Column::DeletedAt)).is_null());
    let mut query = Query::select();
    query
        .expr_as(link(E::HOLDER), "holder")
        .columns([role(roles::Column::Id), role(roles::Column::Key), role(roles::Column::Name)])
        .from(E::default())
        .join(JoinType::InnerJoin, roles::Entity, same_role)
        .and_where(link(E::HOLDER).is_in(holders))
        .order_by((E::default(), E::ID), Order::Asc);
    let mut held = HashMap::<_, Vec<_>>::new();
    for Link { holder, role } in tx.rows::<Link<K>>(&query).await? {
        held.entry(holder).or_default().push(role);
    }
    Ok(held)
}
