//! Rows of `role_permissions`: what the roles of an organization's own allow.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, RoleId, RolePermissionId},
    storage::db::TenantTable,
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
