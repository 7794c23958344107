//! Rows of `tags`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, TagId},
    storage::db::{tenant_table, without_relations},
};

/// A tag of one organization, for tasks and time entries.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tags")]
pub struct Model {
    /// The tag.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TagId,
    /// The organization that owns it.
    pub organization_id: OrgId,
    /// Display name.
    pub name: String,
    /// Canonical form of `name`, which is unique.
    pub name_key: String,
    /// The name without regard to case and accents, for the search.
    pub search_key: String,
    /// Number of changes; the `ETag`.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("tag", deleted: None, affects_access: false);
