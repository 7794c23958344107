//! Rows of `tags`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, TagId},
    storage::db::{tenant_table, without_relations},
};

/// A tag of one organization: on tasks and on time entries.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tags")]
pub struct Model {
    /// The tag.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TagId,
    /// Whose.
    pub organization_id: OrgId,
    /// Its name, for people.
    pub name: String,
    /// What uniqueness is judged by.
    pub name_key: String,
    /// Counts the changes; the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("tag", deleted: None, affects_access: false);
