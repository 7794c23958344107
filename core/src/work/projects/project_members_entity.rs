//! Rows of `project_members`: who works on a project, and sees it where it is private.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, ProjectId, ProjectMemberId},
    storage::db::{tenant_table, without_relations},
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

without_relations!();

tenant_table!("member of a project", deleted: None, affects_access: false);
