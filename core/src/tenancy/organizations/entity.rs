//! Rows of `organizations`. A tenant table whose organization is the row itself.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::OrgId,
    storage::db::{tenant_table, without_relations},
};

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organizations")]
pub struct Model {
    /// The organization.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrgId,
    /// Its address in URLs.
    pub slug: String,
    /// Its name, for people.
    pub name: String,
    /// What it is, for people.
    pub description: Option<String>,
    /// `active` or `suspended`.
    pub status: String,
    /// `personal` or `team`.
    pub kind: String,
    /// JSON: what it has settled for itself; `None`: nothing.
    pub settings: Option<String>,
    /// When its rows will be removed for good.
    pub purge_after: Option<DateTimeUtc>,
    /// Counts the changes.
    pub version: i64,
    /// When it was deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was founded.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

// Everything refers to an organization; it refers to nothing.
without_relations!();

tenant_table!("organization", org: Column::Id, deleted: Some(Column::DeletedAt), affects_access: true);
