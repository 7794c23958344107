//! Rows of `role_permissions`: the permissions of custom roles.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, RoleId, RolePermissionId},
    storage::db::{tenant_table, without_relations},
};

/// One permission of one role.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "role_permissions")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RolePermissionId,
    /// The organization of the role.
    pub organization_id: OrgId,
    /// The role.
    pub role_id: RoleId,
    /// The permission in the spelling of the API, such as `tasks:read`.
    pub permission: String,
    /// When the row was inserted.
    pub created_at: DateTimeUtc,
}

without_relations!();

tenant_table!("permission of a role", deleted: None, affects_access: true);
