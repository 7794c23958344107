//! Rows of `slug_history`: former slugs of organizations.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OldSlugId, OrgId},
    storage::db::TenantTable,
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

/// None declared.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "former slug";
    // It leads to where rights are asked again.
    const AFFECTS_ACCESS: bool = false;
}
