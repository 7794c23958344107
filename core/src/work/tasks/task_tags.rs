//! Rows of `task_tags`: which tags a task has.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, TagId, TaskId, TaskTagId},
    storage::db::{tenant_table, without_relations},
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

without_relations!();

tenant_table!("tag of a task", deleted: None, affects_access: false);
