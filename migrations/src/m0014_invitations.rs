//! Invitations of an organization, with their inviters and roles. Their tokens are in `one_time_tokens`.

use sea_orm_migration::{prelude::*, sea_query::ExprTrait};

use crate::{
    column::{instant, integer, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::tenant(manager, "invitations")
            .column(text("email").length(3, 254))
            .column(text("email_canonical"))
            .column(text("status").one_of(["pending", "accepted", "declined", "revoked", "expired"]))
            // NULL for a superuser, who is not a member.
            .column(uuid("invited_by").within_organization("members").optional())
            .column(uuid("inviter_id").references("users"))
            .column(instant("expires_at"))
            .column(integer("resend_count"))
            .version()
            .timestamps()
            .unique_where(
                "invitations_pending_email_key",
                &["organization_id", "email_canonical"],
                Expr::col("status").eq("pending"),
            )
            .index(&["organization_id", "created_at", "id"])
            .index(&["organization_id", "email_canonical", "id"])
            .index(&["organization_id", "expires_at", "id"])
            .index(&["email_canonical"])
            .index(&["status", "expires_at"])
            .create()
            .await?;

        NewTable::tenant(manager, "invitation_roles")
            .column(uuid("invitation_id").within_organization("invitations"))
            .column(uuid("role_id").within_organization("roles"))
            .column(instant("created_at"))
            .unique("invitation_roles_invitation_role_key", &["organization_id", "invitation_id", "role_id"])
            .index(&["organization_id", "role_id"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "invitation_roles").await?;
        schema::drop_table(manager, "invitations").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
