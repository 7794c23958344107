//! Rows of `period_locks`, at most one per organization.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, PeriodLockId},
    storage::db::TenantTable,
};

/// The period of an organization in which time cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "period_locks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PeriodLockId,
    pub organization_id: OrgId,
    /// Entries that start before this time cannot be changed; `None`: all can.
    pub locked_until: Option<DateTimeUtc>,
    /// Number of changes; the `ETag`.
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

/// None declared: what belongs to an organization is found inside its scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "period lock";
    const AFFECTS_ACCESS: bool = false;
}
