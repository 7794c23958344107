//! Which generation of a session's tokens was presented: it tells an answer that was lost from a token that was stolen.

use sea_orm_migration::{prelude::*, sea_query::Table};

use crate::column::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "sessions";
const COLUMN: &str = "presented_counter";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Of the sessions that an older program adds meanwhile, nothing is known to have been presented.
        let mut presented = big_integer(COLUMN).definition(TABLE, manager.get_database_backend());
        presented.default(0);
        manager.alter_table(Table::alter().table(TABLE).add_column(presented).to_owned()).await?;
        // Of those there are, the current tokens may have been: nothing older is forgiven.
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
