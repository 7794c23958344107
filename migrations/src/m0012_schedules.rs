//! The next run of each periodic task, and the paused queues.

use sea_orm_migration::prelude::*;

use crate::{
    column::{instant, text},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::global(manager, "schedules")
            .column(text("name"))
            .column(instant("next_run"))
            .column(instant("last_run").optional())
            .column(text("last_error").optional())
            .timestamps()
            .unique("schedules_name_key", &["name"])
            .create()
            .await?;
        NewTable::global(manager, "queues")
            .column(text("name"))
            .column(instant("paused_at").optional())
            .timestamps()
            .unique("queues_name_key", &["name"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "queues").await?;
        schema::drop_table(manager, "schedules").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
