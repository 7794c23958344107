//! Rows of `schedules`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::ScheduleId,
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// The schedule of a periodic task.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedules")]
pub struct Model {
    /// Id of the schedule.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScheduleId,
    /// Name of the task.
    pub name: String,
    /// When the task is due next.
    pub next_run: DateTimeUtc,
    /// When the task last started; `None` before the first run.
    pub last_run: Option<DateTimeUtc>,
    /// Error of the last run; `None` if it succeeded.
    pub last_error: Option<String>,
    /// When the schedule was created.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = None;
    const NAME: &'static str = "schedule";
}
