//! Rows of `role_permissions`: the permissions of custom roles.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, RoleId, RolePermissionId},
    storage::db::TenantTable,
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

/// None declared.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "permission of a role";
    const AFFECTS_ACCESS: bool = true;
}
