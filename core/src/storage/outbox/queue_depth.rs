//! The number of jobs in each queue.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, FromQueryResult,
    sea_query::{Expr, ExprTrait, Func, Query},
};

use super::{
    OutboxState, Queue,
    entity::{Column, Entity},
};
use crate::{Result, storage::db::Db};

/// The number of jobs in one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// The queue.
    pub queue: Queue,
    /// Number of pending jobs.
    pub pending: u64,
    /// Number of dead jobs.
    pub dead: u64,
    /// How long the oldest due job has been due; zero if none is due.
    pub oldest: std::time::Duration,
}

#[derive(FromQueryResult)]
struct Count {
    queue: String,
    state: OutboxState,
    jobs: i64,
    first: DateTime<Utc>,
}

/// The depth of each queue, including empty ones, with one query. Done jobs are not counted, because there may be many.
///
/// # Errors
/// Database errors.
pub async fn depths(db: &Db) -> Result<Vec<QueueDepth>> {
    #[expect(clippy::disallowed_methods, reason = "counts the jobs of every organization")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .columns([Column::Queue, Column::State])
        .expr_as(Func::count(Expr::col(Column::Id)), "jobs")
        .expr_as(Expr::col(Column::RunAt).min(), "first")
        .from(Entity)
        .and_where(Column::State.is_in([OutboxState::Pending, OutboxState::Dead]))
        .group_by_columns([Column::Queue, Column::State]);
    let counts = tx.rows::<Count>(&query).await?;
    let depth = |queue: &Queue| {
        let count_of =
            |state| counts.iter().find(move |count| count.queue == queue.as_str() && count.state == state);
        let jobs = |state| count_of(state).map_or(0, |count| u64::try_from(count.jobs).unwrap_or(0));
        let oldest = count_of(OutboxState::Pending).and_then(|count| (tx.now() - count.first).to_std().ok());
        QueueDepth {
            queue: *queue,
            pending: jobs(OutboxState::Pending),
            dead: jobs(OutboxState::Dead),
            oldest: oldest.unwrap_or_default(),
        }
    };
    Ok(Queue::ALL.iter().map(depth).collect())
}
