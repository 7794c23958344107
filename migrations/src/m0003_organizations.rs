//! Organizations, the tenants. Their row-level security uses their own id.

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
        NewTable::global(manager, "organizations")
            .row_security("id")
            .column(text("slug").length(2, 63))
            .column(text("name"))
            .column(text("description").optional())
            .column(text("status").one_of(["active", "suspended"]))
            .column(text("kind").one_of(["personal", "team"]))
            .column(instant("purge_after").optional())
            .version()
            .deleted_at()
            .timestamps()
            .unique("organizations_slug_key", &["slug"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "organizations").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
