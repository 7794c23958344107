//! Rows of `task_tags`: the tags of each task.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, TagId, TaskId, TaskTagId},
    storage::db::{tenant_table, without_relations},
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

without_relations!();

tenant_table!("tag of a task", deleted: None, affects_access: false);
