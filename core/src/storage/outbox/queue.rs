//! Rows of `queues`. Only queues that were paused once have a row.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::QueueId,
    runtime::cluster::Invalidation,
    storage::db::{GlobalTable, without_relations},
};

/// A queue that is or was paused.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "queues")]
pub struct Model {
    /// Id of the queue.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: QueueId,
    /// Name of the queue.
    pub name: String,
    /// Since when the queue is paused; `None` if it is not.
    pub paused_at: Option<DateTimeUtc>,
    /// When the queue was first paused.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

impl GlobalTable for Entity {
    const DELETED: Option<Column> = None;
    const INVALIDATES: Option<fn(&Model) -> Invalidation> = None;
    const NAME: &'static str = "queue";
}
