//! Create one or many tasks.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::{
    Priority, Task, TaskStatus, TaskWithTags, completed_at, entity::ActiveModel, facts,
    references::TaskReferences, tag, truncate_to_microseconds,
};
use crate::{
    Result,
    base::{
        ids::{MemberId, ProjectId, TagId, TaskId},
        permissions::TasksCreate,
        text::{self, TaskDescription, TaskTitle},
    },
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
};

/// A new task.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// A single line.
    pub title: TaskTitle,
    /// May have several lines.
    pub description: Option<TaskDescription>,
    /// The status it begins with.
    pub status: TaskStatus,
    /// Its priority.
    pub priority: Priority,
    /// When it must be done; `None` without a due date.
    pub due_at: Option<DateTime<Utc>>,
    /// `None`: no project.
    pub project_id: Option<ProjectId>,
    /// An active member; `None`: nobody.
    pub assignee_id: Option<MemberId>,
    /// Position in the manual order, 0..=[`super::POSITION_MAX`]; `None`: after the last task of its project.
    pub position: Option<i64>,
    /// Tags without duplicates.
    pub tags: Vec<TagId>,
}

/// Creates tasks. Each is handled separately, so one can fail while others succeed. The results have the order of the
/// input.
///
/// # Errors
/// Errors of the database, for all tasks. For each task: `VALIDATION_FAILED` naming a project, member or tag that does
/// not exist, or a member who is not active; `PROJECT_ARCHIVED`.
pub async fn create(tx: &OrgTx<TasksCreate>, new: Vec<NewTask>) -> Result<Vec<Result<TaskWithTags>>> {
    let mut references = TaskReferences::load(tx, &new).await?;
    let prepare = |new: NewTask| references.check(&new).map(|position| new_task(tx, new, position));
    let outcomes: Vec<_> = new.into_iter().map(prepare).collect();
    let created: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    if !created.is_empty() {
        let row = |task: &&TaskWithTags| task.task.clone().into_active_model().reset_all();
        let rows = created.iter().map(row).collect();
        tx.insert_many::<ActiveModel>(rows).await?;
        let links =
            created.iter().flat_map(|task| task.tags.iter().map(|tag| (task.task.id, *tag))).collect();
        tag(tx, links).await?;
        let events = created.iter().map(|task| (task.task.id, EventDetails::created(facts(task)))).collect();
        tx.record_each(Action::TaskCreated, events).await?;
    }
    Ok(outcomes)
}

fn new_task(tx: &OrgTx<TasksCreate>, new: NewTask, position: i64) -> TaskWithTags {
    let now = tx.now();
    let task = Task {
        id: TaskId::new(now),
        organization_id: tx.org(),
        project_id: new.project_id,
        search_key: text::search_key(new.title.as_str()),
        title: new.title.into(),
        description: new.description.map(Into::into),
        status: new.status,
        priority: new.priority,
        due_at: new.due_at.map(truncate_to_microseconds),
        assignee_id: new.assignee_id,
        created_by: tx.member(),
        position,
        completed_at: completed_at(None, new.status, now),
        version: 1,
        deleted_at: None,
        created_at: now,
        updated_at: now,
    };
    let mut tags = new.tags;
    tags.sort();
    TaskWithTags { task, tags }
}
