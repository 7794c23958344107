//! Tasks, with or without a project, assigned to a member or to nobody.
//!
//! Users who can read tasks see those of all projects that they can see. Users who can update or delete tasks can do so
//! for tasks that they created or are assigned to, and with `tasks:manage_all` for all.

mod offboarding;
mod references;
mod update;
mod create;
pub(crate) mod entity;
mod list;
mod deletion;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod task_tags;
mod access;

pub(crate) use offboarding::unassign_member;
use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};

pub use access::may;
pub(crate) use access::visible;
pub use create::{NewTask, create};
pub use deletion::{delete, restore};
pub(crate) use entity::{Column, Entity};
pub use entity::{Model as Task, Priority, TaskStatus};
pub(crate) use list::search;
pub use list::{TaskFilter, TaskKey, get, list};
pub use update::{TaskChanges, update};

use crate::{
    Result,
    base::{
        ids::{TagId, TaskId, TaskTagId},
        permissions::{RequiredPermission, WritePermission},
    },
    storage::db::OrgTx,
};

/// The greatest position. All client languages represent integers up to it exactly (2^53).
pub const POSITION_MAX: i64 = 9_007_199_254_740_991;

/// Distance between the last task and a new one, so that others fit in between.
const STEP: i64 = 1024;

/// A task with its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskWithTags {
    /// The task.
    pub task: Task,
    /// Ids of tags, sorted.
    pub tags: Vec<TagId>,
}

/// The fields of a task that audit events contain.
fn facts(TaskWithTags { task, tags }: &TaskWithTags) -> Value {
    json!({
        "title": task.title,
        "description": task.description,
        "status": task.status.as_str(),
        "priority": task.priority.as_str(),
        "due_at": task.due_at,
        "project_id": task.project_id,
        "assignee_id": task.assignee_id,
        "position": task.position,
        "tags": tags,
    })
}

/// The completion time of a task whose status changes from `before` to `after`.
fn completed_at(
    before: Option<DateTime<Utc>>,
    after: TaskStatus,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    (after == TaskStatus::Done).then(|| before.unwrap_or(now))
}

/// Cuts a time to microseconds, the precision of both databases.
fn truncate_to_microseconds(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.trunc_subsecs(6)
}

/// The tags of each task, with one query.
async fn tags_of<P: RequiredPermission>(
    tx: &OrgTx<P>,
    tasks: Vec<TaskId>,
) -> Result<HashMap<TaskId, Vec<TagId>>> {
    let mut tags = HashMap::<_, Vec<_>>::new();
    for link in tx.find::<task_tags::Entity>().all_of(task_tags::Column::TaskId, tasks).await? {
        tags.entry(link.task_id).or_default().push(link.tag_id);
    }
    tags.values_mut().for_each(|tags| tags.sort());
    Ok(tags)
}

/// Adds the tags to a task.
async fn with_tags<P: RequiredPermission>(tx: &OrgTx<P>, task: Task) -> Result<TaskWithTags> {
    let tags = tags_of(tx, vec![task.id]).await?.remove(&task.id).unwrap_or_default();
    Ok(TaskWithTags { task, tags })
}

/// Adds tags to tasks, with one statement.
async fn tag<P: WritePermission>(tx: &OrgTx<P>, links: Vec<(TaskId, TagId)>) -> Result<()> {
    let row = |(task, tag): (TaskId, TagId)| task_tags::ActiveModel {
        id: Set(TaskTagId::new(tx.now())),
        task_id: Set(task),
        tag_id: Set(tag),
        created_at: Set(tx.now()),
        ..Default::default()
    };
    tx.insert_many(links.into_iter().map(row).collect()).await
}
