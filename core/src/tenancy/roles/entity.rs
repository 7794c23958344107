//! Rows of `roles`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, RoleId},
    storage::db::{tenant_table, without_relations},
};

/// A named set of permissions in one organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "roles")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RoleId,
    /// The organization.
    pub organization_id: OrgId,
    /// Stable key for programs, such as `admin`.
    pub key: String,
    /// Display name.
    pub name: String,
    /// Canonical form of `name`, for uniqueness.
    pub name_key: String,
    /// Key and name without regard to case and accents, for the search.
    pub search_key: String,
    /// The purpose of the role.
    pub description: String,
    /// Whether the role is built-in. Permissions of built-in roles are in the code.
    pub is_builtin: bool,
    /// Incremented by each change.
    pub version: i64,
    /// When it was deleted. `None` if it is not.
    pub deleted_at: Option<DateTimeUtc>,
    /// When the row was inserted.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("role", deleted: Some(Column::DeletedAt), affects_access: true);
