//! When periodic work is due. Of many processes one does it: it is claimed by moving `next_run`.

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

/// Every schedule that was ever claimed, by name. One read.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list(db: &Db) -> Result<Vec<Schedule>> {
    #[expect(clippy::disallowed_methods, reason = "a read; it belongs to no organization")]
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

/// Takes what is due under this name, and says that it is next due at `next`. Of many processes that ask at the same tick
/// exactly one gets `true`, and is to do it. What was never asked for is due at once.
///
/// # Errors
/// Whatever the database refuses; then nobody has it, and it stays due.
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
    let taken = ActiveModel {
        next_run: Set(next),
        last_run: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    let due = Condition::all().add(Column::Name.eq(name)).add(Column::NextRun.lte(now));
    let is_mine = !tx.update_where(taken, due).await?.is_empty();
    #[expect(clippy::disallowed_methods, reason = "when something is done decides nothing")]
    tx.commit_unaudited().await?;
    Ok(is_mine)
}

/// Writes down how the last run ended: an error in one line of at most 500 characters, or that there was none.
///
/// # Errors
/// Whatever the database refuses.
pub async fn finished(db: &Db, name: &str, outcome: Result<(), &str>) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let row = ActiveModel {
        last_error: Set(outcome.err().map(error_line)),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update_where(row, Column::Name.eq(name)).await?;
    #[expect(clippy::disallowed_methods, reason = "how something ended decides nothing")]
    tx.commit_unaudited().await
}
