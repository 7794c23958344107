//! Rows of `queues`: only of those that were ever paused.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::QueueId,
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// A queue that stands still, or did once.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "queues")]
pub struct Model {
    /// Its address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: QueueId,
    /// Which one.
    pub name: String,
    /// Since when nothing of it is begun; `None`: it runs.
    pub paused_at: Option<DateTimeUtc>,
    /// When it was first paused.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = None;
    const NAME: &'static str = "queue";
}
