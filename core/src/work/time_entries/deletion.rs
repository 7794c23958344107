//! Taking time back, and bringing it back.

use sea_orm::{ActiveValue::Set, ColumnTrait};

use super::{
    Column, Entity, TimeEntryWithTags,
    entity::ActiveModel,
    refuse_foreign,
    rules::{Rules, Span, latest_end},
    tags_of, timer,
    update::held,
    visible,
};
use crate::{
    Result,
    base::{error::ErrorCode, ids::TimeEntryId, permissions::TimeEntriesDelete},
    storage::{
        audit::{Action, Details},
        db::{Expected, OrgTx},
    },
    tenancy::members,
    work::{projects, tasks},
};

/// Deletes an entry; it can be restored.
///
/// # Errors
/// `NotFound`; `Forbidden` for the time of others without `time_entries:manage_all`; `PRECONDITION_FAILED` when `expected` is
/// not its version; `PERIOD_LOCKED`.
pub async fn delete(tx: &OrgTx<TimeEntriesDelete>, id: TimeEntryId, expected: &Expected) -> Result<()> {
    let before = held(tx, id).await?;
    expected.check(&before.entry.version)?;
    Rules::of(tx).await?.refuse_locked(before.entry.started_at)?;
    let removed = ActiveModel {
        id: Set(id),
        version: Set(before.entry.version + 1),
        deleted_at: Set(Some(tx.now())),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(removed).await?;
    tx.record(Action::TimeEntryDeleted, id, Details::removed(before.facts())).await
}

/// Brings a deleted entry back, with its id. One that was running runs on, unless its member can act no more.
///
/// # Errors
/// `NotFound` when the caller sees no deleted entry with this id; `Forbidden` as [`remove`]; `PARENT_DELETED` when its project
/// or task was deleted meanwhile; `PERIOD_LOCKED`; `TIMER_RUNNING` when it is running and another one is;
/// `TIME_ENTRY_OVERLAP`.
pub async fn restore(tx: &OrgTx<TimeEntriesDelete>, id: TimeEntryId) -> Result<TimeEntryWithTags> {
    let deleted =
        || Ok::<_, crate::Error>(tx.find_deleted::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)?));
    let member = deleted()?.one().await?.member_id;
    refuse_foreign(tx, member).await?;
    members::lock_one(tx, member).await?;
    let before = deleted()?.one().await?;
    let rules = Rules::of(tx).await?;
    rules.refuse_locked(before.started_at)?;
    let lives = match (before.project_id, before.task_id) {
        (Some(project), _) if !lives::<projects::Entity>(tx, projects::Column::Id.eq(project)).await? => {
            false
        }
        (_, Some(task)) => lives::<tasks::Entity>(tx, tasks::Column::Id.eq(task)).await?,
        _ => true,
    };
    if !lives {
        return Err(ErrorCode::ParentDeleted.refuse());
    }
    let ended_at = match before.ended_at {
        // Who can act no more has no timer; it ran until it was deleted.
        None if !members::is_active(tx, member).await? => {
            Some(latest_end(before.started_at, before.deleted_at.unwrap_or(tx.now())))
        }
        ended_at => ended_at,
    };
    if ended_at.is_none() && timer::find(tx, member).await?.is_some() {
        return Err(ErrorCode::TimerRunning.refuse());
    }
    let span = Span { started_at: before.started_at, ended_at };
    rules.refuse_overlap(tx, member, span, Some(id)).await?;
    let restored = ActiveModel {
        id: Set(id),
        ended_at: Set(ended_at),
        version: Set(before.version + 1),
        deleted_at: Set(None),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    let entry = tx.update(restored).await?;
    let tags = tags_of(tx, [id]).await?.remove(&id).unwrap_or_default();
    let shown = TimeEntryWithTags { entry, tags };
    tx.record(Action::TimeEntryRestored, id, Details::created(shown.facts())).await?;
    Ok(shown)
}

async fn lives<E: crate::storage::db::TenantTable>(
    tx: &OrgTx<TimeEntriesDelete>,
    is: sea_orm::sea_query::Expr,
) -> Result<bool>
where
    E::Model: Send + Sync,
{
    tx.find::<E>().filter(is).exists().await
}
