//! How a task goes, and comes back.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};

use super::{Column, Entity, TaskWithTags, entity::ActiveModel, facts, own, shown, visible};
use crate::{
    Result,
    base::{error::ErrorCode, ids::TaskId, permissions::TasksDelete},
    storage::{
        audit::{Action, Details},
        db::{Expected, OrgTx},
    },
    work::projects,
};

/// Deletes a task; it can be restored.
///
/// # Errors
/// `NotFound`, also when it is on a project that the caller does not see; `FORBIDDEN` when it is not his;
/// `PRECONDITION_FAILED` when `expected` is not its version.
pub async fn delete(tx: &OrgTx<TasksDelete>, id: TaskId, expected: &Expected) -> Result<()> {
    let task = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)).one_locked().await?;
    own::refuse_others(tx, &task).await?;
    expected.check(&task.version)?;
    let before = shown(tx, task).await?;
    let removed = ActiveModel {
        id: Set(id),
        version: Set(before.task.version + 1),
        deleted_at: Set(Some(tx.now())),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(removed).await?;
    tx.record(Action::TaskDeleted, id, Details::removed(facts(&before))).await
}

/// Brings a deleted task back, with its id, and with those of its tags that there are still.
///
/// # Errors
/// `NotFound` when no deleted task has this id, also when it is on a project that the caller does not see; `FORBIDDEN` when it
/// is not his; `PARENT_DELETED` when its project is deleted.
pub async fn restore(tx: &OrgTx<TasksDelete>, id: TaskId) -> Result<TaskWithTags> {
    // Deleted projects too: that his is one of them is what he is told.
    let theirs = (Column::ProjectId, projects::Column::Id, projects::visible(tx));
    let project = tx.in_rows_of_including_deleted::<projects::Entity>(theirs.0, theirs.1, theirs.2);
    let seen = Condition::any().add(Column::ProjectId.is_null()).add(project);
    let task = tx.find_deleted::<Entity>().filter(Column::Id.eq(id)).filter(seen).one_locked().await?;
    own::refuse_others(tx, &task).await?;
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
    let restored = shown(tx, task).await?;
    tx.record(Action::TaskRestored, id, Details::created(facts(&restored))).await?;
    Ok(restored)
}
