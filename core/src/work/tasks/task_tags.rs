//! Rows of `task_tags`: which tags a task has.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, TagId, TaskId, TaskTagId},
    storage::db::TenantTable,
};

/// One tag of one task.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "task_tags")]
pub struct Model {
    /// The link.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaskTagId,
    /// Whose.
    pub organization_id: OrgId,
    /// Which task.
    pub task_id: TaskId,
    /// Which tag.
    pub tag_id: TagId,
    /// Since when.
    pub created_at: DateTimeUtc,
}

/// None declared: what belongs to an organization is found inside its scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "tag of a task";
    const AFFECTS_ACCESS: bool = false;
}
