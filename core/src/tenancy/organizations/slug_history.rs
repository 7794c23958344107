//! Rows of `slug_history`: what organizations were called before.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OldSlugId, OrgId},
    storage::db::TenantTable,
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
