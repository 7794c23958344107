//! Audit events: action, actor and outcome. Append-only for the application too.

use sea_orm_migration::prelude::*;

use crate::{
    column::{instant, integer, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::platform(manager, "audit_events")
            .append_only()
            .column(instant("occurred_at"))
            .column(text("actor_kind").one_of(["user", "superuser", "worker", "system", "anonymous"]))
            .column(uuid("actor_id").optional())
            .column(text("action").length(0, 100))
            .column(text("resource").length(0, 100))
            .column(text("resource_id").optional().length(0, 255))
            .column(text("outcome").one_of(["success", "failure", "denied"]))
            .column(text("details"))
            .column(uuid("session_id").optional())
            .column(text("request_id").optional())
            .column(text("trace_id").optional())
            .column(integer("schema_version"))
            .index(&["organization_id", "occurred_at", "id"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "audit_events").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
