//! Rows of `invitation_roles`: the roles that the recipient gets on acceptance.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{InvitationId, InvitationRoleId, OrgId, RoleId},
    storage::db::tenant_table,
    tenancy::{members::role_summary::RoleLinks, roles},
};

/// One role of one invitation.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitation_roles")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvitationRoleId,
    /// The organization of both.
    pub organization_id: OrgId,
    /// The invitation.
    pub invitation_id: InvitationId,
    /// The role.
    pub role_id: RoleId,
    /// When the row was inserted.
    pub created_at: DateTimeUtc,
}

/// The role, within the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The role given.
    #[sea_orm(
        belongs_to = "roles::Entity",
        from = "(Column::OrganizationId, Column::RoleId)",
        to = "(roles::Column::OrganizationId, roles::Column::Id)"
    )]
    Role,
}

impl Related<roles::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Role.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

tenant_table!("role of an invitation", deleted: None, affects_access: false);

impl RoleLinks for Entity {
    const HOLDER: Column = Column::InvitationId;
    const ROLE: Column = Column::RoleId;
}
