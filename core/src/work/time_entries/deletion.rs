//! Delete and restore time entries.

use sea_orm::{ActiveValue::Set, ColumnTrait};

use super::{
    Column, Entity, TimeEntryWithTags,
    entity::ActiveModel,
    require_own,
    rules::{Rules, Span, latest_end},
    tags_of, timer,
    update::lock_own,
    visible,
};
use crate::{
    Result,
    base::{error::ErrorCode, ids::TimeEntryId, permissions::TimeEntriesDelete},
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
    tenancy::members,
    work::{projects, tasks},
};

/// Deletes an entry. It can be restored.
///
/// # Errors
/// `NotFound`; `Forbidden` for entries of others without `time_entries:manage_all`; `PRECONDITION_FAILED` when
/// `expected` is not its version; `PERIOD_LOCKED`.
pub async fn delete(
    tx: &OrgTx<TimeEntriesDelete>,
    id: TimeEntryId,
    expected: &ExpectedVersion,
) -> Result<()> {
    let before = lock_own(tx, id).await?;
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
    tx.record(Action::TimeEntryDeleted, id, EventDetails::removed(before.facts())).await
}

/// Restores a deleted entry with its id. A running entry continues, unless its member is no longer active.
///
/// # Errors
/// `NotFound` if the caller sees no deleted entry with this id; `Forbidden` as in [`delete`]; `PARENT_DELETED` if its
/// project or task is deleted; `PERIOD_LOCKED`; `TIMER_RUNNING` if it is running and the member has another running
/// entry; `TIME_ENTRY_OVERLAP`.
pub async fn restore(tx: &OrgTx<TimeEntriesDelete>, id: TimeEntryId) -> Result<TimeEntryWithTags> {
    let deleted =
        || Ok::<_, crate::Error>(tx.find_deleted::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)?));
    let member = deleted()?.one().await?.member_id;
    require_own(tx, member).await?;
    members::lock_one(tx, member).await?;
    let before = deleted()?.one().await?;
    let rules = Rules::of(tx).await?;
    rules.refuse_locked(before.started_at)?;
    let exists = match (before.project_id, before.task_id) {
        (Some(project), _) if !exists::<projects::Entity>(tx, projects::Column::Id.eq(project)).await? => {
            false
        }
        (_, Some(task)) => exists::<tasks::Entity>(tx, tasks::Column::Id.eq(task)).await?,
        _ => true,
    };
    if !exists {
        return Err(ErrorCode::ParentDeleted.refuse());
    }
    let ended_at = match before.ended_at {
        // Members who are not active have no timer. The entry ended when it old deleted.
        None if !members::is_active(tx, member).await? => {
            Some(latest_end(before.started_at, before.deleted_at.unwrap_or(tx.now())))
        }
        ended_at => ended_at,
    };
    if ended_at.is_none() && timer::running_of(tx, member).await?.is_some() {
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
    let entry_with_tags = TimeEntryWithTags { entry, tags };
    tx.record(Action::TimeEntryRestored, id, EventDetails::created(entry_with_tags.facts())).await?;
    Ok(entry_with_tags)
}

async fn exists<E: crate::storage::db::TenantTable>(
    tx: &OrgTx<TimeEntriesDelete>,
    is: sea_orm::sea_query::Expr,
) -> Result<bool>
where
    E::Model: Send + Sync,
{
    tx.find::<E>().filter(is).exists().await
}
