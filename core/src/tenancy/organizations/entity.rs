//! Rows of `organizations`. It is a tenant table; the organization of a row is the row itself.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::OrgId,
    storage::db::{tenant_table, without_relations},
};

/// An organization, that is one tenant.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organizations")]
pub struct Model {
    /// UUIDv7; nil for the platform.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrgId,
    /// Identifies the organization in URLs.
    pub slug: String,
    /// Display name.
    pub name: String,
    /// Description for members. `None` if there is none.
    pub description: Option<String>,
    /// `active` or `suspended`.
    pub status: String,
    /// `personal` or `team`.
    pub kind: String,
    /// JSON object of the settings. `None`: all settings have their defaults.
    pub settings: Option<String>,
    /// When a deleted organization is purged. `None` if it is not deleted.
    pub purge_after: Option<DateTimeUtc>,
    /// Incremented by each change.
    pub version: i64,
    /// When it was deleted. `None` if it is not.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

// Everything refers to an organization; it refers to nothing.
without_relations!();

tenant_table!("organization", org: Column::Id, deleted: Some(Column::DeletedAt), affects_access: true);
