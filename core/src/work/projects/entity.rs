//! Rows of `projects`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, ProjectId},
    storage::db::TenantTable,
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

/// None declared: a project belongs to its organization, and that is the scope's business.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = Some(Column::DeletedAt);
    const NAME: &'static str = "project";
    const AFFECTS_ACCESS: bool = false;
}
