//! Rows of `role_permissions`: what the roles of an organization's own allow.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, RoleId, RolePermissionId},
    storage::db::{tenant_table, without_relations},
};

/// One permission of one role.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "role_permissions")]
pub struct Model {
    /// The link.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RolePermissionId,
    /// In which organization.
    pub organization_id: OrgId,
    /// Which role.
    pub role_id: RoleId,
    /// What it allows, as the API spells it.
    pub permission: String,
    /// Since when.
    pub created_at: DateTimeUtc,
}

without_relations!();

tenant_table!("permission of a role", deleted: None, affects_access: true);
