//! Projects, with one index for each sort order.

use sea_orm_migration::prelude::*;

use crate::{
    column::text,
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::tenant(manager, "projects")
            .column(text("code").length(1, 20))
            .column(text("code_key"))
            .column(text("name").length(1, 100))
            .column(text("color").optional().length(7, 7))
            .version()
            .deleted_at()
            .timestamps()
            .unique_not_deleted("projects_organization_code_key", &["organization_id", "code_key"])
            .index(&["organization_id", "created_at", "id"])
            .index(&["organization_id", "name", "id"])
            .index(&["organization_id", "code_key", "id"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "projects").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
