//! Rows of `schedules`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::ScheduleId,
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// When some periodic work is due.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedules")]
pub struct Model {
    /// Its address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScheduleId,
    /// What is done.
    pub name: String,
    /// Not before this instant.
    pub next_run: DateTimeUtc,
    /// When it was begun last.
    pub last_run: Option<DateTimeUtc>,
    /// Why it failed the last time; `None` when it did not.
    pub last_error: Option<String>,
    /// When it was first known.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = None;
    const NAME: &'static str = "schedule";
}
