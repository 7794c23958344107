//! Time entries, their tags, and period locks.

use sea_orm_migration::{prelude::*, sea_query::ExprTrait};

use crate::{
    column::{boolean, instant, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let running = Expr::col("ended_at").is_null().and(Expr::col("deleted_at").is_null());
        NewTable::tenant(manager, "time_entries")
            .column(uuid("member_id").within_organization("members"))
            .column(uuid("project_id").within_organization("projects").optional())
            .column(uuid("task_id").within_organization("tasks").optional())
            .column(text("activity").optional().length(1, 100))
            .column(text("notes").optional().length(1, 2000))
            .column(instant("started_at"))
            .column(instant("ended_at").optional().not_before("started_at"))
            .column(boolean("billable"))
            .column(text("source").one_of(["manual", "timer", "import"]))
            .version()
            .deleted_at()
            .timestamps()
            .unique_where("time_entries_running_key", &["organization_id", "member_id"], running)
            .index(&["organization_id", "member_id", "started_at", "id"])
            .index(&["organization_id", "project_id", "started_at", "id"])
            .index(&["organization_id", "task_id"])
            .index(&["organization_id", "started_at", "id"])
            .index(&["organization_id", "created_at", "id"])
            .create()
            .await?;

        NewTable::tenant(manager, "time_entry_tags")
            .column(uuid("time_entry_id").within_organization("time_entries"))
            .column(uuid("tag_id").within_organization("tags"))
            .column(instant("created_at"))
            .unique("time_entry_tags_entry_tag_key", &["organization_id", "time_entry_id", "tag_id"])
            .index(&["organization_id", "tag_id"])
            .create()
            .await?;

        NewTable::tenant(manager, "period_locks")
            .column(instant("locked_until").optional())
            .version()
            .timestamps()
            .unique("period_locks_organization_key", &["organization_id"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["period_locks", "time_entry_tags", "time_entries"] {
            schema::drop_table(manager, table).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
