//! The permissions of custom roles. The permissions of built-in roles are in the code.

use sea_orm_migration::prelude::*;

use crate::{
    column::{instant, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::tenant(manager, "role_permissions")
            .column(uuid("role_id").within_organization("roles"))
            .column(text("permission").length(1, 100))
            .column(instant("created_at"))
            .unique("role_permissions_role_permission_key", &["organization_id", "role_id", "permission"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "role_permissions").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
