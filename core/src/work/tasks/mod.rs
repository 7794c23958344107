//! Tasks: what is to be done, on a project or on none, and who is to do it.
//!
//! Whoever may see tasks sees all of those on projects that he sees. Whoever may change or delete tasks may do so with those
//! that he made or is to do, and with `tasks:manage_all` with all of them.

mod offboarding;
mod references;
mod update;
mod create;
pub(crate) mod entity;
mod list;
mod own;
mod deletion;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod task_tags;
mod access;

pub(crate) use offboarding::depart;
use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};

pub(crate) use access::visible;
pub use create::{NewTask, create};
pub use deletion::{delete, restore};
pub(crate) use entity::{Column, Entity};
pub use entity::{Model as Task, Priority, TaskStatus};
pub use list::{TaskFilter, TaskKey, get, list};
pub use own::may;
pub use update::{TaskChanges, update};

use crate::{
    Result,
    base::{
        ids::{TagId, TaskId, TaskTagId},
        permissions::{RequiredPermission, WritePermission},
    },
    storage::db::OrgTx,
};

/// The greatest place in the order that people give: numbers up to it are the same in every language of clients.
pub const POSITION_MAX: i64 = 9_007_199_254_740_991;

/// How far from the last one a new task is put, so that others fit in between.
const STEP: i64 = 1024;

/// A task as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskWithTags {
    /// The task.
    pub task: Task,
    /// Its tags, in the order of their ids.
    pub tags: Vec<TagId>,
}

/// The facts of a task that the audit log tells.
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

/// When a task that stood at `before` was done, now that it stands at `after`.
fn completed_at(
    before: Option<DateTime<Utc>>,
    after: TaskStatus,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    (after == TaskStatus::Done).then(|| before.unwrap_or(now))
}

/// An instant as both databases store it and give it back.
fn stored(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.trunc_subsecs(6)
}

/// The tags of each of these tasks, by one query.
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

/// A task with its tags.
async fn shown<P: RequiredPermission>(tx: &OrgTx<P>, task: Task) -> Result<TaskWithTags> {
    let tags = tags_of(tx, vec![task.id]).await?.remove(&task.id).unwrap_or_default();
    Ok(TaskWithTags { task, tags })
}

/// Tags tasks, by one statement.
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
