//! Whose task it is to change.

use sea_orm::ColumnTrait;

use super::{Column, Entity, Task, visible};
use crate::{
    Result,
    base::{
        ids::TaskId,
        permissions::{Permission, RequiredPermission},
    },
    storage::db::OrgTx,
    tenancy::members,
};

/// Whether the caller may change this task, or delete it.
///
/// # Errors
/// `NotFound`, also when it is another organization's, or on a project that he does not see; `FORBIDDEN` when he neither
/// made it nor is to do it, and lacks `tasks:manage_all`.
pub async fn may<P: RequiredPermission>(tx: &OrgTx<P>, id: TaskId) -> Result<()> {
    let task = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)).one().await?;
    refuse_others(tx, &task).await
}

/// # Errors
/// `FORBIDDEN` when the caller neither made the task nor is to do it, and lacks `tasks:manage_all`.
pub(super) async fn refuse_others<P: RequiredPermission>(tx: &OrgTx<P>, task: &Task) -> Result<()> {
    let is_his = tx.member().is_some() && [task.created_by, task.assignee_id].contains(&tx.member());
    match is_his || tx.may(Permission::TasksManageAll) {
        true => Ok(()),
        false => Err(members::missing_permission(tx, Permission::TasksManageAll).await?),
    }
}
