//! Lets the hats of this cluster read which migrations are applied, so that a process can tell when to start.
//!
//! The roles themselves are made before any migration runs (`hats.rs`) and stay when this one is reverted: other
//! databases of the cluster may be using them.

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
