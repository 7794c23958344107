//! The delivery record of every e-mail: its recipient and its status.

use sea_orm_migration::prelude::*;

use crate::{
    column::{instant, integer, text},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::platform(manager, "emails")
            .column(text("to"))
            .column(text("template"))
            .column(text("status").one_of(["sent", "deferred", "bounced", "dead", "suppressed"]))
            .column(text("message_id"))
            .column(integer("attempts"))
            .column(text("last_error").optional())
            .column(instant("sent_at").optional())
            .column(text("trace_id").optional())
            .timestamps()
            .unique("emails_organization_id_id_key", &["organization_id", "id"])
            .index(&["created_at", "id"])
            .index(&["to"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "emails").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
