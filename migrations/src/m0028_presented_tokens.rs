//! The last generation of a session's tokens that a client presented. It distinguishes a lost response from a stolen
//! token.

use sea_orm_migration::{prelude::*, sea_query::Table};

use crate::column::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "sessions";
const COLUMN: &str = "presented_counter";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // For sessions that an older program adds meanwhile, no presented token is known.
        let mut presented = big_integer(COLUMN).definition(TABLE, manager.get_database_backend());
        presented.default(0);
        manager.alter_table(Table::alter().table(TABLE).add_column(presented).to_owned()).await?;
        // For existing sessions, assume that the current tokens were presented: older ones are not accepted.
        let backfill = format!("UPDATE {TABLE} SET {COLUMN} = refresh_counter");
        manager.get_connection().execute_unprepared(&backfill).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(TABLE).drop_column(COLUMN).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
