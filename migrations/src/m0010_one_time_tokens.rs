//! E-mailed tokens. Only their hashes are stored.

use sea_orm_migration::prelude::*;

use crate::{
    column::{bytes, instant, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::global(manager, "one_time_tokens")
            .column(uuid("user_id").references("users").optional())
            .column(text("email"))
            .column(text("email_canonical"))
            .column(text("purpose").one_of(["verify", "reset", "email", "undo", "invitation"]))
            .column(uuid("subject_id").optional())
            .column(bytes("token_hash"))
            .column(instant("used_at").optional())
            .column(instant("expires_at"))
            .timestamps()
            .unique("one_time_tokens_token_hash_key", &["token_hash"])
            .index(&["user_id"])
            .index(&["email_canonical"])
            .index(&["expires_at"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "one_time_tokens").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
