//! Lets the two database roles read which migrations are applied, so that a process can tell when to start.
//!
//! The roles are created before any migration (`database_roles.rs`). Reverting this migration keeps them, because other
//! databases of the cluster can use them.

use sea_orm_migration::prelude::*;

use crate::schema;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::on_postgres(manager, "GRANT SELECT ON seaql_migrations TO insula_app, insula_system").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::on_postgres(manager, "REVOKE ALL ON seaql_migrations FROM insula_app, insula_system").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
