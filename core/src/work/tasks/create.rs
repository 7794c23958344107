//! New tasks, one or many.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::{
    Priority, Task, TaskStatus, TaskWithTags, completed_at, entity::ActiveModel, facts, references::Book,
    stored, tag,
};
use crate::{
    Result,
    base::{
        ids::{MemberId, ProjectId, TagId, TaskId},
        permissions::TasksCreate,
        text::{TaskDescription, TaskTitle},
    },
    storage::{
        audit::{Action, Details},
        db::OrgTx,
    },
};

/// What a new task is.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// What is to be done.
    pub title: TaskTitle,
    /// More about it.
    pub description: Option<TaskDescription>,
    /// Where it stands.
    pub status: TaskStatus,
    /// How much it matters.
    pub priority: Priority,
    /// Until when.
    pub due_at: Option<DateTime<Utc>>,
    /// Of which project.
    pub project_id: Option<ProjectId>,
    /// Who is to do it: an active member.
    pub assignee_id: Option<MemberId>,
    /// Its place: 0..=[`super::POSITION_MAX`]; `None`: behind the last one of its project.
    pub position: Option<i64>,
    /// Its tags, each once.
    pub tags: Vec<TagId>,
}

/// Adds tasks, each by itself: what is refused to one is granted to the others. The outcomes are in the order given.
///
/// # Errors
/// Whatever the database refuses, for all of them. For each: `VALIDATION_FAILED` naming a project, member or tag that is not
/// there, or a member who is not active; `PROJECT_ARCHIVED`.
pub async fn create(tx: &OrgTx<TasksCreate>, new: Vec<NewTask>) -> Result<Vec<Result<TaskWithTags>>> {
    let mut book = Book::open(tx, &new).await?;
    let admit = |new: NewTask| book.admit(&new).map(|position| made(tx, new, position));
    let outcomes: Vec<_> = new.into_iter().map(admit).collect();
    let made: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    if !made.is_empty() {
        let row = |shown: &&TaskWithTags| shown.task.clone().into_active_model().reset_all();
        let rows = made.iter().map(row).collect();
        tx.insert_many::<ActiveModel>(rows).await?;
        let links =
            made.iter().flat_map(|shown| shown.tags.iter().map(|tag| (shown.task.id, *tag))).collect();
        tag(tx, links).await?;
        let events = made.iter().map(|shown| (shown.task.id, Details::created(facts(shown)))).collect();
        tx.record_each(Action::TaskCreated, events).await?;
    }
    Ok(outcomes)
}

fn made(tx: &OrgTx<TasksCreate>, new: NewTask, position: i64) -> TaskWithTags {
    let now = tx.now();
    let task = Task {
        id: TaskId::new(now),
        organization_id: tx.org(),
        project_id: new.project_id,
        title: new.title.into(),
        description: new.description.map(Into::into),
        status: new.status,
        priority: new.priority,
        due_at: new.due_at.map(stored),
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
