//! Rows of `tags`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, TagId},
    storage::db::TenantTable,
};

/// A tag of one organization, for tasks and time entries.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tags")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TagId,
    pub organization_id: OrgId,
    /// Display name.
    pub name: String,
    /// Canonical form of `name`, which is unique.
    pub name_key: String,
    /// Number of changes; the `ETag`.
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

/// None declared: what belongs to an organization is found inside its scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "tag";
    const AFFECTS_ACCESS: bool = false;
}
