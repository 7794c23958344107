//! Delete and restore tasks.

use sea_orm::{ActiveValue::Set, ColumnTrait};

use super::{Column, Entity, TaskWithTags, access, entity::ActiveModel, facts, visible, with_tags};
use crate::{
    Result,
    base::{error::ErrorCode, ids::TaskId, permissions::TasksDelete},
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
    work::projects,
};

/// Deletes a task. It can be restored.
///
/// # Errors
/// `NotFound`, also if the caller cannot see its project; `FORBIDDEN` if the caller is neither its creator nor its
/// assignee; `PRECONDITION_FAILED` when `expected` is not its version.
pub async fn delete(tx: &OrgTx<TasksDelete>, id: TaskId, expected: &ExpectedVersion) -> Result<()> {
    let task = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)).one_locked().await?;
    access::require_own(tx, &task).await?;
    expected.check(&task.version)?;
    let before = with_tags(tx, task).await?;
    let removed = ActiveModel {
        id: Set(id),
        version: Set(before.task.version + 1),
        deleted_at: Set(Some(tx.now())),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(removed).await?;
    tx.record(Action::TaskDeleted, id, EventDetails::removed(facts(&before))).await
}

/// Restores a deleted task with its id, and with those of its tags that still exist.
///
/// # Errors
/// `NotFound` if no deleted task has this id, or the caller cannot see its project; `FORBIDDEN` if the caller is
/// neither its creator nor its assignee; `PARENT_DELETED` if its project is deleted.
pub async fn restore(tx: &OrgTx<TasksDelete>, id: TaskId) -> Result<TaskWithTags> {
    // Includes deleted projects, so that the error can say that the project is deleted.
    let is_visible = access::visible_with_deleted_projects(tx);
    let task = tx.find_deleted::<Entity>().filter(Column::Id.eq(id)).filter(is_visible).one_locked().await?;
    access::require_own(tx, &task).await?;
    if let Some(project) = task.project_id
        && !tx.find::<projects::Entity>().filter(projects::Column::Id.eq(project)).exists().await?
    {
        return Err(ErrorCode::ParentDeleted.refuse());
    }
    let restored = ActiveModel {
        id: Set(id),
        version: Set(task.version + 1),
        deleted_at: Set(None),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    let task = tx.update(restored).await?;
    let restored = with_tags(tx, task).await?;
    tx.record(Action::TaskRestored, id, EventDetails::created(facts(&restored))).await?;
    Ok(restored)
}
