//! Former slugs of organizations. Another organization cannot take a slug while it still redirects.

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
        NewTable::tenant(manager, "slug_history")
            .column(text("slug").length(2, 63))
            .column(instant("expires_at"))
            .column(instant("created_at"))
            .unique("slug_history_slug_key", &["slug"])
            .index(&["expires_at"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "slug_history").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
