//! Looking at tasks.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition};

use super::{
    Column, Entity, Priority, Task, TaskStatus, TaskWithTags, shown, stored, tags_of, task_tags, visible,
};
use crate::{
    Result,
    base::{
        ids::{ProjectId, TagId, TaskId},
        pagination::{Page, PageRequest},
        permissions::TasksRead,
    },
    storage::db::{OrgTx, SortKey},
    tenancy::members::MemberRef,
};

/// Which tasks are wanted; `None` asks for all. What names something that is not there asks for none.
#[derive(Clone, Debug, Default)]
pub struct TaskFilter {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// That he is to do.
    pub assignee: Option<MemberRef>,
    /// That stand at one of these.
    pub statuses: Option<Vec<TaskStatus>>,
    /// That matter so much.
    pub priority: Option<Priority>,
    /// That have this tag.
    pub tag: Option<TagId>,
    /// Due at this instant or later.
    pub due_after: Option<DateTime<Utc>>,
    /// Due before this instant.
    pub due_before: Option<DateTime<Utc>>,
}

/// What the list can be ordered by. Each column is indexed with the organization and the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKey {
    /// When it was made.
    CreatedAt,
    /// When it last changed.
    UpdatedAt,
    /// Until when; those without come last, and first in the reverse.
    DueAt,
    /// How much it matters.
    Priority,
    /// The order that people give.
    Position,
}

impl SortKey for TaskKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
            Self::UpdatedAt => Column::UpdatedAt,
            Self::DueAt => Column::DueAt,
            Self::Priority => Column::Priority,
            Self::Position => Column::Position,
        }
    }
}

/// One page of the tasks that the caller sees, by two queries.
///
/// # Errors
/// `NOT_A_MEMBER` where somebody who is none asks for his own.
pub async fn list(
    tx: &OrgTx<TasksRead>,
    filter: TaskFilter,
    listing: PageRequest<TaskKey>,
) -> Result<Page<TaskWithTags>> {
    let assignee = filter.assignee.map(|who| who.member(tx)).transpose()?;
    let wanted = Condition::all()
        .add_option(filter.statuses.map(|statuses| Column::Status.is_in(statuses)))
        .add_option(filter.priority.map(|priority| Column::Priority.eq(priority)))
        .add_option(filter.due_after.map(|instant| Column::DueAt.gte(stored(instant))))
        .add_option(filter.due_before.map(|instant| Column::DueAt.lt(stored(instant))));
    let tasks = tx.find::<Entity>().filter(visible(tx)).filter(wanted);
    let tasks = tasks.filter_some(Column::ProjectId, filter.project);
    let mut tasks = tasks.filter_some(Column::AssigneeId, assignee);
    if let Some(tag) = filter.tag {
        let has_it = task_tags::Column::TagId.eq(tag);
        tasks = tasks.where_in::<task_tags::Entity>(Column::Id, task_tags::Column::TaskId, has_it);
    }
    let page = tasks.page(listing).await?;
    let mut tags = tags_of(tx, page.data.iter().map(|task| task.id).collect()).await?;
    let shown = |task: Task| TaskWithTags { tags: tags.remove(&task.id).unwrap_or_default(), task };
    Ok(Page { data: page.data.into_iter().map(shown).collect(), next: page.next })
}

/// One task.
///
/// # Errors
/// `NotFound`, also when it is another organization's, or on a project that the caller does not see.
pub async fn get(tx: &OrgTx<TasksRead>, id: TaskId) -> Result<TaskWithTags> {
    let task = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)).one().await?;
    shown(tx, task).await
}
