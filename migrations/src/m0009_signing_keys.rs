//! Signing keys: public keys in plain text, private keys encrypted.

use sea_orm_migration::prelude::*;

use crate::{
    column::{bytes, instant, text},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::global(manager, "signing_keys")
            .column(text("purpose").one_of(["access", "audit"]))
            .column(text("kid"))
            .column(bytes("public"))
            .column(bytes("wrapped_private"))
            .column(text("state").one_of(["next", "active", "retiring"]))
            .column(instant("activates_at"))
            .column(instant("expires_at").optional())
            .timestamps()
            .unique("signing_keys_kid_key", &["kid"])
            // One active key and one next key: a concurrent second one is rejected.
            .unique_where(
                "signing_keys_purpose_state_key",
                &["purpose", "state"],
                Expr::col("state").ne("retiring"),
            )
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "signing_keys").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
