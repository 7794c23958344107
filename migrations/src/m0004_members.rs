//! The members of an organization, its roles, and the roles of each member.

use sea_orm_migration::prelude::*;

use crate::{
    column::{boolean, instant, text, uuid},
    schema::{self, NewTable},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        NewTable::tenant(manager, "members")
            .column(uuid("user_id").references("users"))
            .column(text("status").one_of(["active", "suspended", "removed"]))
            .column(instant("joined_at"))
            .column(instant("removed_at").optional())
            .version()
            .timestamps()
            .unique("members_organization_user_key", &["organization_id", "user_id"])
            // The organizations of a user, in the order of their list.
            .index(&["user_id", "joined_at", "id"])
            .create()
            .await?;

        NewTable::tenant(manager, "roles")
            .column(text("key"))
            .column(text("name").length(1, 50))
            .column(text("name_key"))
            .column(text("description").length(0, 255))
            .column(boolean("is_builtin"))
            .version()
            .deleted_at()
            .timestamps()
            .unique("roles_organization_key_key", &["organization_id", "key"])
            .unique_not_deleted("roles_organization_name_key", &["organization_id", "name_key"])
            .create()
            .await?;

        NewTable::tenant(manager, "member_roles")
            .column(uuid("member_id").within_organization("members"))
            .column(uuid("role_id").within_organization("roles"))
            .column(uuid("granted_by").optional())
            .column(instant("created_at"))
            .unique("member_roles_member_role_key", &["organization_id", "member_id", "role_id"])
            .index(&["organization_id", "role_id"])
            .create()
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop_table(manager, "member_roles").await?;
        schema::drop_table(manager, "roles").await?;
        schema::drop_table(manager, "members").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
