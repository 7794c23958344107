//! Stored responses, so that a repeated request gets the same response and is not run again.

use sea_orm_migration::prelude::*;

use crate::{
    column::{bytes, instant, integer, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::platform(manager, "idempotency_keys")
            .column(uuid("user_id"))
            .column(text("operation_id"))
            .column(text("key"))
            .column(bytes("body_sha256"))
            .column(integer("status").optional())
            .column(text("location").optional())
            .column(text("etag").optional())
            .column(bytes("body").optional())
            .column(instant("expires_at"))
            .timestamps()
            .unique("idempotency_keys_scope_key", &["organization_id", "user_id", "operation_id", "key"])
            .index(&["expires_at"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "idempotency_keys").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
