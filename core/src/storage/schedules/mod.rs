//! Schedules of periodic tasks. A process claims a task by moving `next_run`, so that only one process runs it.

mod entity;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
pub use entity::Model as Schedule;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, sea_query::Query};

use self::entity::{ActiveModel, Column, Entity};
use crate::{
    Result,
    base::{ids::ScheduleId, permissions::AuditOrigin, text::error_line},
    storage::db::Db,
};

/// All schedules that were claimed once, by name. Uses one query.
///
/// # Errors
/// Database errors.
pub async fn list(db: &Db) -> Result<Vec<Schedule>> {
    #[expect(clippy::disallowed_methods, reason = "schedules belong to no organization")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    let columns = [
        Column::Id,
        Column::Name,
        Column::NextRun,
        Column::LastRun,
        Column::LastError,
        Column::CreatedAt,
        Column::UpdatedAt,
    ];
    query.columns(columns).from(Entity).order_by(Column::Name, sea_orm::Order::Asc);
    tx.rows(&query).await
}

/// Claims the task with this name if it is due, and sets its next run to `next`. If several processes claim it at the
/// same time, exactly one gets `true` and must run it. A task without a schedule is due at once.
///
/// # Errors
/// Database errors; then no process claimed the task, and it stays due.
pub async fn claim(db: &Db, name: &str, next: DateTime<Utc>) -> Result<bool> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let now = tx.now();
    let new = ActiveModel {
        id: Set(ScheduleId::new(now)),
        name: Set(name.to_owned()),
        next_run: Set(now),
        last_run: Set(None),
        last_error: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    tx.insert_if_absent(new, &[Column::Name]).await?;
    let claimed = ActiveModel {
        next_run: Set(next),
        last_run: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    let due = Condition::all().add(Column::Name.eq(name)).add(Column::NextRun.lte(now));
    let is_claimed = !tx.update_where(claimed, due).await?.is_empty();
    #[expect(clippy::disallowed_methods, reason = "schedules need no audit events")]
    tx.commit_unaudited().await?;
    Ok(is_claimed)
}

/// Records how the last run ended. An error is stored as one line of at most 500 characters.
///
/// # Errors
/// Database errors.
pub async fn finished(db: &Db, name: &str, outcome: Result<(), &str>) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let row = ActiveModel {
        last_error: Set(outcome.err().map(error_line)),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update_where(row, Column::Name.eq(name)).await?;
    #[expect(clippy::disallowed_methods, reason = "schedules need no audit events")]
    tx.commit_unaudited().await
}
