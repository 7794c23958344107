//! Rows of `project_members`: the members of each project. Only they can see a private project.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, ProjectId, ProjectMemberId},
    storage::db::TenantTable,
};

/// One member of one project.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "project_members")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProjectMemberId,
    pub organization_id: OrgId,
    pub project_id: ProjectId,
    pub member_id: MemberId,
    /// When the member was added.
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
