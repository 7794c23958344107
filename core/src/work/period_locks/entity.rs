//! Rows of `period_locks`: one of each organization that ever locked a period.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, PeriodLockId},
    storage::db::{tenant_table, without_relations},
};

/// Up to when an organization's time is settled.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "period_locks")]
pub struct Model {
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PeriodLockId,
    /// Whose.
    pub organization_id: OrgId,
    /// What began before this instant can be changed no more; `None`: everything can.
    pub locked_until: Option<DateTimeUtc>,
    /// Counts the changes; the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("period lock", deleted: None, affects_access: false);
