//! Rows of `project_members`: the members of each project. Only they can see a private project.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, ProjectId, ProjectMemberId},
    storage::db::{tenant_table, without_relations},
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

without_relations!();

tenant_table!("member of a project", deleted: None, affects_access: false);
