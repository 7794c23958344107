//! Rows of `roles`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, RoleId},
    storage::db::{tenant_table, without_relations},
};

/// A named set of permissions in one organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "roles")]
pub struct Model {
    /// The role.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RoleId,
    /// Where it holds.
    pub organization_id: OrgId,
    /// Its stable name, for programs.
    pub key: String,
    /// Its name, for people.
    pub name: String,
    /// What uniqueness is judged by.
    pub name_key: String,
    /// What it is for.
    pub description: String,
    /// Do its permissions come from code?
    pub is_builtin: bool,
    /// Counts the changes.
    pub version: i64,
    /// When it was deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("role", deleted: Some(Column::DeletedAt), affects_access: true);
