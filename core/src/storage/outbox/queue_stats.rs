//! The number of jobs in each state, and whether a queue is paused.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, FromQueryResult,
    sea_query::{Expr, ExprTrait, Query},
};
use serde_json::json;

use super::{
    OutboxState, Queue,
    entity::{Column, Entity},
    queue,
};
use crate::{
    Error, Result,
    base::ids::QueueId,
    storage::{
        audit::{Action, EventDetails},
        db::{Db, GlobalTable, GlobalTx},
    },
};

/// A queue with its numbers of jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Name of the queue.
    pub name: String,
    /// Since when the queue is paused; `None` if it is not.
    pub paused_at: Option<DateTime<Utc>>,
    /// Number of pending jobs.
    pub pending: i64,
    /// Number of done jobs that are still stored.
    pub done: i64,
    /// Number of dead jobs.
    pub dead: i64,
    /// Number of cancelled jobs.
    pub cancelled: i64,
    /// When the oldest pending job was created; `None` if there is none.
    pub oldest_pending_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct JobCount {
    queue: String,
    state: OutboxState,
    jobs: i64,
    oldest: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct PausedQueue {
    name: String,
    paused_at: Option<DateTime<Utc>>,
}

/// All queues by name: the queues of this program, including empty ones, and those of newer programs that have jobs.
///
/// # Errors
/// Database errors.
pub async fn queues(db: &Db) -> Result<Vec<QueueStats>> {
    #[expect(clippy::disallowed_methods, reason = "superusers see the totals of all organizations")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .columns([Column::Queue, Column::State])
        .expr_as(Expr::col(Column::Id).count(), "jobs")
        .expr_as(Expr::col(Column::CreatedAt).min(), "oldest")
        .from(Entity)
        .group_by_columns([Column::Queue, Column::State]);
    let counts = tx.rows::<JobCount>(&query).await?;
    let mut query = Query::select();
    query.columns([queue::Column::Name, queue::Column::PausedAt]).from(queue::Entity);
    let paused_queues = tx.rows::<PausedQueue>(&query).await?;

    let mut stats: BTreeMap<String, QueueStats> = BTreeMap::new();
    for queue in Queue::ALL {
        stats.entry(queue.as_str().to_owned()).or_default();
    }
    for count in counts {
        let queue_stats = stats.entry(count.queue).or_default();
        match count.state {
            OutboxState::Pending => {
                (queue_stats.pending, queue_stats.oldest_pending_at) = (count.jobs, Some(count.oldest));
            }
            OutboxState::Done => queue_stats.done = count.jobs,
            OutboxState::Dead => queue_stats.dead = count.jobs,
            OutboxState::Cancelled => queue_stats.cancelled = count.jobs,
        }
    }
    for pause in paused_queues {
        stats.entry(pause.name).or_default().paused_at = pause.paused_at;
    }
    Ok(stats.into_iter().map(|(name, queue_stats)| QueueStats { name, ..queue_stats }).collect())
}

/// The queue with this name.
///
/// # Errors
/// `NotFound` if [`queues`] does not contain it.
pub async fn get_queue(db: &Db, name: &str) -> Result<QueueStats> {
    let found = queues(db).await?.into_iter().find(|queue_stats| queue_stats.name == name);
    found.ok_or(Error::NotFound(queue::Entity::NAME))
}

/// Pauses a queue: workers claim no further jobs, but finish those that are running. A paused queue stays unchanged,
/// without an audit event.
///
/// # Errors
/// Database errors.
pub async fn pause(tx: &GlobalTx, queue_stats: QueueStats) -> Result<QueueStats> {
    let row = queue::ActiveModel {
        id: Set(QueueId::new(tx.now())),
        name: Set(queue_stats.name.clone()),
        paused_at: Set(None),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
    };
    tx.insert_if_absent(row, &[queue::Column::Name]).await?;
    let row = lock(tx, &queue_stats).await?.ok_or(Error::NotFound(queue::Entity::NAME))?;
    match row.paused_at {
        Some(since) => Ok(QueueStats { paused_at: Some(since), ..queue_stats }),
        None => change(tx, queue_stats, &row, Some(tx.now())).await,
    }
}

/// Resumes a queue. A queue that is not paused stays unchanged, without an audit event.
///
/// # Errors
/// Database errors.
pub async fn resume(tx: &GlobalTx, queue_stats: QueueStats) -> Result<QueueStats> {
    match lock(tx, &queue_stats).await? {
        Some(row) if row.paused_at.is_some() => change(tx, queue_stats, &row, None).await,
        _ => Ok(QueueStats { paused_at: None, ..queue_stats }),
    }
}

async fn lock(tx: &GlobalTx, queue_stats: &QueueStats) -> Result<Option<queue::Model>> {
    tx.find::<queue::Entity>().filter(queue::Column::Name.eq(&*queue_stats.name)).one_locked().await
}

async fn change(
    tx: &GlobalTx,
    queue_stats: QueueStats,
    before: &queue::Model,
    paused_at: Option<DateTime<Utc>>,
) -> Result<QueueStats> {
    let row = queue::ActiveModel {
        id: Set(before.id),
        paused_at: Set(paused_at),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(row).await?;
    let action = if paused_at.is_some() { Action::QueuePaused } else { Action::QueueResumed };
    let facts = |is_paused: bool| json!({ "is_paused": is_paused });
    let details = EventDetails::changed(facts(before.paused_at.is_some()), facts(paused_at.is_some()));
    // A queue belongs to all organizations, so the event is in the platform's log.
    tx.platform().await?.record(action, &queue_stats.name, details).await?;
    Ok(QueueStats { paused_at, ..queue_stats })
}
