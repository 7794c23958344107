//! Rows of `slug_history`: former slugs of organizations.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OldSlugId, OrgId},
    storage::db::{tenant_table, without_relations},
};

/// A former slug of an organization. It redirects its members while the row exists.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "slug_history")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OldSlugId,
    /// The organization that used it.
    pub organization_id: OrgId,
    /// The slug. No other organization can take it.
    pub slug: String,
    /// When the row is deleted.
    pub expires_at: DateTimeUtc,
    /// When the organization changed its slug.
    pub created_at: DateTimeUtc,
}

without_relations!();

// It leads to where rights are asked again.
tenant_table!("former slug", deleted: None, affects_access: false);
