//! Rows of `period_locks`, at most one per organization.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, PeriodLockId},
    storage::db::{tenant_table, without_relations},
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

without_relations!();

tenant_table!("period lock", deleted: None, affects_access: false);
