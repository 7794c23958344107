//! Jobs, written in the transaction that causes them. This table is the source of truth for pending work.

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
        NewTable::platform(manager, "outbox")
            .column(text("queue"))
            .column(text("kind"))
            .column(text("payload"))
            .column(text("actor"))
            .column(text("dedupe_key").optional())
            .column(text("state").one_of(["pending", "done", "dead", "cancelled"]))
            .column(integer("attempts"))
            .column(integer("lease_expirations"))
            .column(instant("run_at"))
            .column(text("lease_by").optional())
            .column(instant("lease_until").optional())
            .column(text("last_error").optional())
            .column(text("traceparent").optional())
            .column(instant("done_at").optional())
            .timestamps()
            // For taking turns between organizations; for the list of jobs in `/admin`.
            .index(&["state", "organization_id", "run_at"])
            .index(&["created_at", "id"])
            .unique("outbox_dedupe_key", &["dedupe_key"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "outbox").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
