//! Update tasks.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};

use super::{
    Column, Entity, Priority, Task, TaskStatus, TaskWithTags, access, completed_at, entity::ActiveModel,
    facts, tag, task_tags, truncate_to_microseconds, visible, with_tags,
};
use crate::{
    Result,
    base::{
        error::FieldErrors,
        ids::{MemberId, ProjectId, TagId, TaskId},
        permissions::TasksUpdate,
        text::{self, TaskDescription, TaskTitle},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
    tenancy::members::ReferencedMembers,
    work::{projects, tags},
};

/// The changes; `None` keeps a field, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct TaskChanges {
    /// `None` keeps it.
    pub title: Option<TaskTitle>,
    /// `None` keeps it, `Some(None)` clears it.
    pub description: Option<Option<TaskDescription>>,
    /// `None` keeps it.
    pub status: Option<TaskStatus>,
    /// `None` keeps it.
    pub priority: Option<Priority>,
    /// `None` keeps it, `Some(None)` clears it.
    pub due_at: Option<Option<DateTime<Utc>>>,
    /// `None` keeps it, `Some(None)` takes the task out of its project.
    pub project_id: Option<Option<ProjectId>>,
    /// An active member.
    pub assignee_id: Option<Option<MemberId>>,
    /// Position in the manual order, 0..=[`super::POSITION_MAX`].
    pub position: Option<i64>,
    /// All tags, without duplicates.
    pub tags: Option<Vec<TagId>>,
}

/// Updates a task. Current references can stay, such as an archived project or a suspended member. A change without
/// effect creates neither a new version nor an audit event.
///
/// # Errors
/// `NotFound`, also if the caller cannot see its project; `FORBIDDEN` if the caller is neither its creator nor its
/// assignee; `VALIDATION_FAILED` naming a project, member or tag that does not exist, or a member who is not active;
/// `PRECONDITION_FAILED` when `expected` is not its version; `PROJECT_ARCHIVED` if it moves to an archived project.
pub async fn update(
    tx: &OrgTx<TasksUpdate>,
    id: TaskId,
    changes: TaskChanges,
    expected: &ExpectedVersion,
) -> Result<TaskWithTags> {
    let assignees = ReferencedMembers::lock(tx, changes.assignee_id.flatten().into_iter().collect()).await?;
    let task = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)).one_locked().await?;
    access::require_own(tx, &task).await?;
    let before = with_tags(tx, task).await?;
    let after = changes.apply(&before, tx.now());
    let mut fields = FieldErrors::default();
    let project = match after.task.project_id.filter(|_| after.task.project_id != before.task.project_id) {
        Some(project) => projects::find_referenced(tx, project, &mut fields).await?,
        None => None,
    };
    if let Some(member) = after.task.assignee_id.filter(|_| after.task.assignee_id != before.task.assignee_id)
    {
        assignees.check("assignee_id", member, &mut fields);
    }
    tags::check(tx, changes.tags.as_deref().unwrap_or_default(), &mut fields).await?;
    fields.into_result()?;
    expected.check(&before.task.version)?;
    project.as_ref().map_or(Ok(()), projects::refuse_archived)?;
    if after == before {
        return Ok(before);
    }
    retag(tx, id, &before.tags, &after.tags).await?;
    let task = store(tx, after.task).await?;
    let after = TaskWithTags { task, tags: after.tags };
    tx.record(Action::TaskUpdated, id, EventDetails::changed(facts(&before), facts(&after))).await?;
    Ok(after)
}

impl TaskChanges {
    fn apply(&self, before: &TaskWithTags, now: DateTime<Utc>) -> TaskWithTags {
        let (changes, mut task) = (self.clone(), before.task.clone());
        task.title = changes.title.map_or(task.title, Into::into);
        task.description = changes.description.map_or(task.description, |text| text.map(Into::into));
        task.status = changes.status.unwrap_or(task.status);
        task.completed_at = completed_at(task.completed_at, task.status, now);
        task.priority = changes.priority.unwrap_or(task.priority);
        task.due_at = changes.due_at.map_or(task.due_at, |due| due.map(truncate_to_microseconds));
        task.project_id = changes.project_id.unwrap_or(task.project_id);
        task.assignee_id = changes.assignee_id.unwrap_or(task.assignee_id);
        task.position = changes.position.unwrap_or(task.position);
        let mut tags = changes.tags.unwrap_or_else(|| before.tags.clone());
        tags.sort();
        TaskWithTags { task, tags }
    }
}

async fn store(tx: &OrgTx<TasksUpdate>, task: Task) -> Result<Task> {
    tx.update(ActiveModel {
        id: Set(task.id),
        project_id: Set(task.project_id),
        search_key: Set(text::search_key(&task.title)),
        title: Set(task.title),
        description: Set(task.description),
        status: Set(task.status),
        priority: Set(task.priority),
        due_at: Set(task.due_at),
        assignee_id: Set(task.assignee_id),
        position: Set(task.position),
        completed_at: Set(task.completed_at),
        version: Set(task.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    })
    .await
}

/// With at most two statements.
async fn retag(tx: &OrgTx<TasksUpdate>, task: TaskId, before: &[TagId], after: &[TagId]) -> Result<()> {
    let (old, new): (HashSet<_>, HashSet<_>) = (before.iter().collect(), after.iter().collect());
    let removed: Vec<_> = old.difference(&new).map(|tag| **tag).collect();
    if !removed.is_empty() {
        let links = Condition::all().add(task_tags::Column::TaskId.eq(task));
        tx.delete::<task_tags::Entity>(links.add(task_tags::Column::TagId.is_in(removed))).await?;
    }
    tag(tx, new.difference(&old).map(|tag| (task, **tag)).collect()).await
}
