//! Tasks with one index for each sort order, and tags.

use sea_orm_migration::prelude::*;

use crate::{
    column::{big_integer, instant, integer, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::tenant(manager, "tags")
            .column(text("name").length(1, 50))
            .column(text("name_key"))
            .version()
            .timestamps()
            .unique("tags_organization_name_key", &["organization_id", "name_key"])
            .index(&["organization_id", "created_at", "id"])
            .index(&["organization_id", "name_key", "id"])
            .create()
            .await?;

        NewTable::tenant(manager, "tasks")
            .column(uuid("project_id").within_organization("projects").optional())
            .column(text("title").length(1, 200))
            .column(text("description").optional().length(1, 10_000))
            .column(text("status").one_of(["todo", "in_progress", "done", "cancelled"]))
            // 1 (low) to 4 (urgent). A number, so that lists can sort by it.
            .column(integer("priority"))
            .column(instant("due_at").optional())
            .column(uuid("assignee_id").within_organization("members").optional())
            // NULL for a superuser, who is not a member.
            .column(uuid("created_by").within_organization("members").optional())
            .column(big_integer("position"))
            .column(instant("completed_at").optional())
            .version()
            .deleted_at()
            .timestamps()
            .index(&["organization_id", "assignee_id", "status"])
            .index(&["organization_id", "project_id", "position", "id"])
            .index(&["organization_id", "created_at", "id"])
            .index(&["organization_id", "updated_at", "id"])
            .index(&["organization_id", "due_at", "id"])
            .index(&["organization_id", "priority", "id"])
            .index(&["organization_id", "position", "id"])
            .create()
            .await?;

        NewTable::tenant(manager, "task_tags")
            .column(uuid("task_id").within_organization("tasks"))
            .column(uuid("tag_id").within_organization("tags"))
            .column(instant("created_at"))
            .unique("task_tags_task_tag_key", &["organization_id", "task_id", "tag_id"])
            .index(&["organization_id", "tag_id"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["task_tags", "tasks", "tags"] {
            schema::drop_table(manager, table).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
