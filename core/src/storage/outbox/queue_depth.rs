//! How much work there is.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, FromQueryResult,
    sea_query::{Expr, ExprTrait, Func, Query},
};

use super::{
    Queue, State,
    entity::{Column, Entity},
};
use crate::{Result, storage::db::Db};

/// How much one queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// Which.
    pub queue: Queue,
    /// Jobs to be done, now or later.
    pub pending: u64,
    /// Jobs given up.
    pub dead: u64,
    /// For how long the job has been due that has been due longest; zero: none is.
    pub oldest: std::time::Duration,
}

#[derive(FromQueryResult)]
struct Count {
    queue: String,
    state: State,
    jobs: i64,
    first: DateTime<Utc>,
}

/// What each queue holds, also the empty ones, by one query. What is done is not counted: there may be much of it.
///
/// # Errors
/// Whatever the database refuses.
pub async fn depths(db: &Db) -> Result<Vec<QueueDepth>> {
    #[expect(clippy::disallowed_methods, reason = "counts the jobs of all, and tells of none")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .columns([Column::Queue, Column::State])
        .expr_as(Func::count(Expr::col(Column::Id)), "jobs")
        .expr_as(Expr::col(Column::RunAt).min(), "first")
        .from(Entity)
        .and_where(Column::State.is_in([State::Pending, State::Dead]))
        .group_by_columns([Column::Queue, Column::State]);
    let counts = tx.rows::<Count>(&query).await?;
    let depth = |queue: &Queue| {
        let of =
            |state| counts.iter().find(move |count| count.queue == queue.as_str() && count.state == state);
        let jobs = |state| of(state).map_or(0, |count| u64::try_from(count.jobs).unwrap_or(0));
        let oldest = of(State::Pending).and_then(|count| (tx.now() - count.first).to_std().ok());
        QueueDepth {
            queue: *queue,
            pending: jobs(State::Pending),
            dead: jobs(State::Dead),
            oldest: oldest.unwrap_or_default(),
        }
    };
    Ok(Queue::ALL.iter().map(depth).collect())
}
