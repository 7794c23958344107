//! What stands in each queue, and whether it runs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, FromQueryResult,
    sea_query::{Expr, ExprTrait, Query},
};
use serde_json::json;

use super::{
    Queue, State,
    entity::{Column, Entity},
    queue,
};
use crate::{
    Error, Result,
    base::ids::QueueId,
    storage::{
        audit::{Action, Details},
        db::{Db, GlobalTable, GlobalTx},
    },
};

/// A queue, and how many jobs of it stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Which one.
    pub name: String,
    /// Since when nothing of it is begun; `None`: it runs.
    pub paused_at: Option<DateTime<Utc>>,
    /// Jobs still to be done.
    pub pending: i64,
    /// Jobs that were done, and are still kept.
    pub done: i64,
    /// Jobs given up.
    pub dead: i64,
    /// Jobs that are not to be done.
    pub cancelled: i64,
    /// When the oldest of those still to be done was asked for.
    pub oldest_pending_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Pile {
    queue: String,
    state: State,
    jobs: i64,
    oldest: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Pause {
    name: String,
    paused_at: Option<DateTime<Utc>>,
}

/// Every queue by its name: those of this program, also empty ones, and those that a newer one put jobs into.
///
/// # Errors
/// Whatever the database refuses.
pub async fn queues(db: &Db) -> Result<Vec<QueueStats>> {
    #[expect(clippy::disallowed_methods, reason = "operators see how much there is, of everybody together")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .columns([Column::Queue, Column::State])
        .expr_as(Expr::col(Column::Id).count(), "jobs")
        .expr_as(Expr::col(Column::CreatedAt).min(), "oldest")
        .from(Entity)
        .group_by_columns([Column::Queue, Column::State]);
    let piles = tx.rows::<Pile>(&query).await?;
    let mut query = Query::select();
    query.columns([queue::Column::Name, queue::Column::PausedAt]).from(queue::Entity);
    let pauses = tx.rows::<Pause>(&query).await?;

    let mut standings: BTreeMap<String, QueueStats> = BTreeMap::new();
    for queue in Queue::ALL {
        standings.entry(queue.as_str().to_owned()).or_default();
    }
    for pile in piles {
        let standing = standings.entry(pile.queue).or_default();
        match pile.state {
            State::Pending => (standing.pending, standing.oldest_pending_at) = (pile.jobs, Some(pile.oldest)),
            State::Done => standing.done = pile.jobs,
            State::Dead => standing.dead = pile.jobs,
            State::Cancelled => standing.cancelled = pile.jobs,
        }
    }
    for pause in pauses {
        standings.entry(pause.name).or_default().paused_at = pause.paused_at;
    }
    Ok(standings.into_iter().map(|(name, standing)| QueueStats { name, ..standing }).collect())
}

/// The queue of this name.
///
/// # Errors
/// `NotFound` when there is none among [`queues`].
pub async fn standing(db: &Db, name: &str) -> Result<QueueStats> {
    let found = queues(db).await?.into_iter().find(|standing| standing.name == name);
    found.ok_or(Error::NotFound(queue::Entity::NAME))
}

/// Lets no worker begin anything of this queue; what is being done is finished. One that is paused stays so, without a
/// trace.
///
/// # Errors
/// Whatever the database refuses.
pub async fn pause(tx: &GlobalTx, standing: QueueStats) -> Result<QueueStats> {
    let row = queue::ActiveModel {
        id: Set(QueueId::new(tx.now())),
        name: Set(standing.name.clone()),
        paused_at: Set(None),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
    };
    tx.insert_if_absent(row, &[queue::Column::Name]).await?;
    let row = lock(tx, &standing).await?.ok_or(Error::NotFound(queue::Entity::NAME))?;
    match row.paused_at {
        Some(since) => Ok(QueueStats { paused_at: Some(since), ..standing }),
        None => change(tx, standing, &row, Some(tx.now())).await,
    }
}

/// Lets workers go on with this queue. One that runs stays so, without a trace.
///
/// # Errors
/// Whatever the database refuses.
pub async fn resume(tx: &GlobalTx, standing: QueueStats) -> Result<QueueStats> {
    match lock(tx, &standing).await? {
        Some(row) if row.paused_at.is_some() => change(tx, standing, &row, None).await,
        _ => Ok(QueueStats { paused_at: None, ..standing }),
    }
}

async fn lock(tx: &GlobalTx, standing: &QueueStats) -> Result<Option<queue::Model>> {
    tx.find::<queue::Entity>().filter(queue::Column::Name.eq(&*standing.name)).one_locked().await
}

async fn change(
    tx: &GlobalTx,
    standing: QueueStats,
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
    let details = Details::changed(facts(before.paused_at.is_some()), facts(paused_at.is_some()));
    // Whoever waits for a mail waits for the platform: the queue is everybody's.
    tx.platform().await?.record(action, &standing.name, details).await?;
    Ok(QueueStats { paused_at, ..standing })
}
