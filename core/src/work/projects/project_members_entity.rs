//! Rows of `project_members`: who works on a project, and sees it where it is private.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, ProjectId, ProjectMemberId},
    storage::db::TenantTable,
};

/// One member of one project.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "project_members")]
pub struct Model {
    /// The link.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProjectMemberId,
    /// Whose.
    pub organization_id: OrgId,
    /// Which project.
    pub project_id: ProjectId,
    /// Who.
    pub member_id: MemberId,
    /// Since when.
    pub created_at: DateTimeUtc,
}

/// None declared: what belongs to an organization is found inside its scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "member of a project";
    const AFFECTS_ACCESS: bool = false;
}
