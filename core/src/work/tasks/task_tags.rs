//! Rows of `task_tags`: the tags of each task.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, TagId, TaskId, TaskTagId},
    storage::db::TenantTable,
};

/// One tag of one task.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "task_tags")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaskTagId,
    pub organization_id: OrgId,
    pub task_id: TaskId,
    pub tag_id: TagId,
    /// When the tag was added.
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
