//! Unique indexes of names that change. With a condition that always holds, PostgreSQL does not treat an index as a key
//! that foreign keys can refer to. A new name then locks the row like any other change, and does not wait for
//! transactions that refer to it.

use sea_orm_migration::prelude::*;

use crate::schema::on_postgres;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        on_postgres(
            manager,
            "DROP INDEX organizations_slug_key;
             CREATE UNIQUE INDEX organizations_slug_key ON organizations (slug) WHERE slug IS NOT NULL;
             DROP INDEX tags_organization_name_key;
             CREATE UNIQUE INDEX tags_organization_name_key ON tags (organization_id, name_key)
                 WHERE name_key IS NOT NULL;",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        on_postgres(
            manager,
            "DROP INDEX organizations_slug_key;
             CREATE UNIQUE INDEX organizations_slug_key ON organizations (slug);
             DROP INDEX tags_organization_name_key;
             CREATE UNIQUE INDEX tags_organization_name_key ON tags (organization_id, name_key);",
        )
        .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
