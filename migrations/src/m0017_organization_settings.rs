//! The settings of an organization, and indexes for the list of organizations in `/admin`.

use sea_orm_migration::{
    prelude::*,
    sea_query::{Index, Table},
};

use crate::column::text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "organizations";

/// Name, and the columns that a list is sorted by or the purge filters by.
const INDEXES: [(&str, &[&str]); 4] = [
    ("organizations_created_at_id_idx", &["created_at", "id"]),
    ("organizations_name_id_idx", &["name", "id"]),
    ("organizations_slug_id_idx", &["slug", "id"]),
    ("organizations_purge_after_idx", &["purge_after"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let settings = text("settings").optional().definition(TABLE, manager.get_database_backend());
        manager.alter_table(Table::alter().table(TABLE).add_column(settings).to_owned()).await?;
        for (name, columns) in INDEXES {
            let mut index = Index::create();
            index.name(name).table(TABLE);
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            manager.drop_index(Index::drop().name(name).table(TABLE).to_owned()).await?;
        }
        manager.alter_table(Table::alter().table(TABLE).drop_column("settings").to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
