//! Rows of `projects`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, ProjectId},
    storage::db::{tenant_table, without_relations},
};

/// A project of one organization. The row is the domain type: it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "projects")]
pub struct Model {
    /// The project.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProjectId,
    /// Whose.
    pub organization_id: OrgId,
    /// Its short name, as it was typed.
    pub code: String,
    /// What uniqueness is judged by.
    pub code_key: String,
    /// Its name, for people.
    pub name: String,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// Do only its members see it, and those who may change projects?
    pub is_private: bool,
    /// Since when nothing new is to be done on it.
    pub archived_at: Option<DateTimeUtc>,
    /// How long it may take, in seconds.
    pub estimate_seconds: Option<i64>,
    /// Counts the changes; the `ETag`.
    pub version: i64,
    /// When it was deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("project", deleted: Some(Column::DeletedAt), affects_access: false);
