//! The tasks that the caller can see, and those that they can change.

use sea_orm::{ColumnTrait, Condition};

use super::{Column, Entity, Task};
use crate::{
    Result,
    base::{
        ids::TaskId,
        permissions::{Permission, RequiredPermission},
    },
    storage::db::OrgTx,
    tenancy::members,
    work::projects,
};

/// Tasks without a project, and those of a project that is not deleted and that the caller can see.
pub(crate) fn visible<P: RequiredPermission>(tx: &OrgTx<P>) -> Condition {
    let project =
        tx.in_rows_of::<projects::Entity>(Column::ProjectId, projects::Column::Id, projects::visible(tx));
    Condition::any().add(Column::ProjectId.is_null()).add(project)
}

/// As [`visible`], with the tasks of deleted projects.
pub(super) fn visible_with_deleted_projects<P: RequiredPermission>(tx: &OrgTx<P>) -> Condition {
    let columns = (Column::ProjectId, projects::Column::Id);
    let is_visible = projects::visible(tx);
    let project = tx.in_rows_of_including_deleted::<projects::Entity>(columns.0, columns.1, is_visible);
    Condition::any().add(Column::ProjectId.is_null()).add(project)
}

/// Checks that the caller can change or delete this task.
///
/// # Errors
/// `NotFound`, also if it belongs to another organization or the caller cannot see its project; `FORBIDDEN` if the
/// caller is neither its creator nor its assignee and lacks `tasks:manage_all`.
pub async fn may<P: RequiredPermission>(tx: &OrgTx<P>, id: TaskId) -> Result<()> {
    let task = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)).one().await?;
    require_own(tx, &task).await
}

/// # Errors
/// `FORBIDDEN` if the caller is neither the creator nor the assignee of the task and lacks `tasks:manage_all`.
pub(super) async fn require_own<P: RequiredPermission>(tx: &OrgTx<P>, task: &Task) -> Result<()> {
    let is_own = tx.member().is_some() && [task.created_by, task.assignee_id].contains(&tx.member());
    if is_own { Ok(()) } else { members::require_permission(tx, Permission::TasksManageAll).await }
}
