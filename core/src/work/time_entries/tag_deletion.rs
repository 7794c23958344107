//! Delete tags. It is in this module, because both tasks and time entries can have tags.

use sea_orm::ColumnTrait;

use super::time_entry_tags;
use crate::{
    Result,
    base::{error::ErrorCode, ids::TagId, permissions::TasksDelete},
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
    work::{
        tags,
        tasks::{self, task_tags as tagged_tasks},
    },
};

/// Deletes a tag permanently. Deleted tasks and time entries are restored without it.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED` when `expected` is not its version; `TAG_IN_USE` while a task or a time entry has
/// it.
pub async fn delete_tag(tx: &OrgTx<TasksDelete>, id: TagId, expected: &ExpectedVersion) -> Result<()> {
    // Locked first: a concurrent request that adds the tag waits, and then does not find it.
    let before = tx.find::<tags::Entity>().filter(tags::Column::Id.eq(id)).one_locked_to_delete().await?;
    expected.check(&before.version)?;
    let (of_task, of_entry) = (tagged_tasks::Column::TagId.eq(id), time_entry_tags::Column::TagId.eq(id));
    let tasks = tx.find::<tasks::Entity>().where_in::<tagged_tasks::Entity>(
        tasks::Column::Id,
        tagged_tasks::Column::TaskId,
        of_task.clone(),
    );
    let entries = tx.find::<super::Entity>().where_in::<time_entry_tags::Entity>(
        super::Column::Id,
        time_entry_tags::Column::TimeEntryId,
        of_entry.clone(),
    );
    if tasks.exists().await? || entries.exists().await? {
        return Err(ErrorCode::TagInUse.refuse());
    }
    tx.delete::<tagged_tasks::Entity>(of_task).await?;
    tx.delete::<time_entry_tags::Entity>(of_entry).await?;
    tx.delete::<tags::Entity>(tags::Column::Id.eq(id)).await?;
    tx.record(Action::TagDeleted, id, EventDetails::removed(tags::facts(&before))).await
}
