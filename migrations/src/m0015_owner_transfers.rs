//! Offers to make a member an owner of the organization.

use sea_orm_migration::{
    prelude::*,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    column::{instant, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let is_pending = Expr::col("status").eq("pending");
        NewTable::tenant(manager, "owner_transfers")
            .column(uuid("from_member_id").within_organization("members"))
            .column(uuid("to_member_id").within_organization("members"))
            .column(text("status").one_of(["pending", "accepted", "declined", "cancelled", "expired"]))
            .column(instant("expires_at"))
            .version()
            .timestamps()
            .unique_where("owner_transfers_organization_pending_key", &["organization_id"], is_pending)
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "owner_transfers").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
