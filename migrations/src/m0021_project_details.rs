//! Visibility, archiving and estimates of projects, and project members.

use sea_orm_migration::{prelude::*, sea_query::Table};

use crate::{
    column::{big_integer, boolean, instant, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "projects";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        // Existing projects, and those that an older program adds meanwhile, are visible to all. This is the only
        // DEFAULT.
        let mut is_private = boolean("is_private").definition(TABLE, backend);
        is_private.default(false);
        let archived_at = instant("archived_at").optional().definition(TABLE, backend);
        let estimate = big_integer("estimate_seconds").optional().definition(TABLE, backend);
        for column in [is_private, archived_at, estimate] {
            manager.alter_table(Table::alter().table(TABLE).add_column(column).to_owned()).await?;
        }

        NewTable::tenant(manager, "project_members")
            .column(uuid("project_id").within_organization("projects"))
            .column(uuid("member_id").within_organization("members"))
            .column(instant("created_at"))
            .unique("project_members_project_member_key", &["organization_id", "project_id", "member_id"])
            .index(&["organization_id", "member_id"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "project_members").await?;
        for column in ["estimate_seconds", "archived_at", "is_private"] {
            manager.alter_table(Table::alter().table(TABLE).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
