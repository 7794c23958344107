//! Rows of `projects`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, ProjectId},
    storage::db::{tenant_table, without_relations},
};

/// A project of one organization. The row is the domain type, because it contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "projects")]
pub struct Model {
    /// The project.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProjectId,
    /// The organization that owns it.
    pub organization_id: OrgId,
    /// Short name, as entered.
    pub code: String,
    /// Canonical form of `code`, which is unique.
    pub code_key: String,
    /// Display name.
    pub name: String,
    /// Code and name without regard to case and accents, for the search.
    pub search_key: String,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// Whether only its members can see it, and users who can update projects.
    pub is_private: bool,
    /// Time of archiving; `None` while it accepts new work.
    pub archived_at: Option<DateTimeUtc>,
    /// In seconds; `None` without an estimate.
    pub estimate_seconds: Option<i64>,
    /// Number of changes; the `ETag`.
    pub version: i64,
    /// `None` while it is not deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("project", deleted: Some(Column::DeletedAt), affects_access: false);
