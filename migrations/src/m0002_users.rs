//! Users, their credentials and their sessions. They belong to no organization.

use sea_orm_migration::prelude::*;

use crate::{
    column::{big_integer, boolean, instant, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::global(manager, "users")
            .column(text("email"))
            .column(text("email_canonical"))
            .column(text("username").optional())
            .column(text("username_canonical").optional())
            .column(text("first_name").optional())
            .column(text("last_name").optional())
            .column(boolean("is_active"))
            .column(boolean("is_superuser"))
            .column(instant("email_verified_at").optional())
            .column(text("locale"))
            .column(text("timezone"))
            .column(text("week_start").one_of(["monday", "saturday", "sunday"]))
            .column(uuid("default_organization_id").optional())
            .column(instant("last_login_at").optional())
            .column(instant("purge_after").optional())
            .version()
            .deleted_at()
            .timestamps()
            .unique_not_deleted("users_email_key", &["email_canonical"])
            .unique_not_deleted("users_username_key", &["username_canonical"])
            .index(&["purge_after"])
            .create()
            .await?;

        NewTable::global(manager, "credentials")
            .column(uuid("user_id").references("users"))
            .column(text("kind").one_of(["password"]))
            .column(text("secret_hash"))
            .column(instant("changed_at"))
            .timestamps()
            .unique("credentials_user_kind_key", &["user_id", "kind"])
            .create()
            .await?;

        NewTable::global(manager, "sessions")
            .column(uuid("user_id").references("users"))
            .column(text("amr"))
            .column(instant("auth_time"))
            .column(text("ip").optional())
            .column(text("user_agent").optional())
            .column(text("device_name").optional())
            .column(big_integer("refresh_counter"))
            .column(instant("refreshed_at"))
            .column(instant("last_seen_at"))
            .column(instant("idle_expires_at"))
            .column(instant("expires_at"))
            .column(instant("revoked_at").optional())
            .column(text("revoke_reason").optional())
            .timestamps()
            .index(&["user_id"])
            .index(&["expires_at"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "sessions").await?;
        schema::drop_table(manager, "credentials").await?;
        schema::drop_table(manager, "users").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
