//! Rows of `slug_history`: what organizations were called before.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OldSlugId, OrgId},
    storage::db::{tenant_table, without_relations},
};

/// A slug that an organization had, and that leads its members on while the row is there.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "slug_history")]
pub struct Model {
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OldSlugId,
    /// Which organization had it.
    pub organization_id: OrgId,
    /// The slug; nobody else gets it.
    pub slug: String,
    /// When it is forgotten.
    pub expires_at: DateTimeUtc,
    /// When it was given up.
    pub created_at: DateTimeUtc,
}

without_relations!();

// It leads to where rights are asked again.
tenant_table!("former slug", deleted: None, affects_access: false);
