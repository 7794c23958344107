//! Indexes for the list of users. The unique key of the e-mail address already has one.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: [(&str, [&str; 2]); 2] = [
    ("users_created_at_id_idx", ["created_at", "id"]),
    ("users_last_login_at_id_idx", ["last_login_at", "id"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, [key, id]) in INDEXES {
            manager
                .create_index(Index::create().name(name).table("users").col(key).col(id).to_owned())
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            manager.drop_index(Index::drop().name(name).table("users").to_owned()).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
