//! Rows of `member_roles`: the roles of each member.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, MemberRoleId, OrgId, RoleId},
    storage::db::tenant_table,
    tenancy::{members::role_summary::RoleLinks, roles},
};

/// One role of one member.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member_roles")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MemberRoleId,
    /// The organization of both.
    pub organization_id: OrgId,
    /// The member.
    pub member_id: MemberId,
    /// The role.
    pub role_id: RoleId,
    /// The member who granted it. `None`: the platform, such as at the creation of the organization.
    pub granted_by: Option<MemberId>,
    /// When it was granted.
    pub created_at: DateTimeUtc,
}

/// The role, within the organization.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The role held.
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

tenant_table!("role of a member", deleted: None, affects_access: true);

impl RoleLinks for Entity {
    const HOLDER: Column = Column::MemberId;
    const ROLE: Column = Column::RoleId;
}
