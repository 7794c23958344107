//! List and get tasks.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition};

use super::{
    Column, Entity, Priority, Task, TaskStatus, TaskWithTags, access::visible_with_deleted_projects,
    task_tags, truncate_to_microseconds, visible, with_tags,
};
use crate::{
    Result,
    base::{
        ids::{ProjectId, TagId, TaskId},
        pagination::{Page, PageRequest, Sort},
        permissions::{Permission, RequiredPermission, TasksRead},
        text::SearchTerm,
    },
    storage::db::{OrgTx, SortKey, contains_term},
    tenancy::members::{self, MemberRef},
};

/// Filter of the list; `None` matches all tasks. A value that does not exist matches none.
#[derive(Clone, Debug, Default)]
pub struct TaskFilter {
    /// Only tasks whose title contains the term.
    pub term: Option<SearchTerm>,
    /// Only tasks of this project.
    pub project: Option<ProjectId>,
    /// Only tasks assigned to this member.
    pub assignee: Option<MemberRef>,
    /// Only tasks with one of these statuses.
    pub statuses: Option<Vec<TaskStatus>>,
    /// Only tasks with this priority.
    pub priority: Option<Priority>,
    /// Only tasks with this tag.
    pub tag: Option<TagId>,
    /// Only tasks due at this time or later.
    pub due_after: Option<DateTime<Utc>>,
    /// Only tasks due before this time.
    pub due_before: Option<DateTime<Utc>>,
    /// Only deleted tasks, which can be restored; otherwise only others.
    pub is_deleted: bool,
}

/// What the list can be ordered by. Each column is indexed with the organization and the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKey {
    /// When it was created.
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

/// Lists one page of the tasks that the caller can see, with one query.
///
/// # Errors
/// `NOT_A_MEMBER` if a superuser who is not a member filters for their own tasks; `Forbidden` for deleted tasks without
/// `tasks:delete`.
pub async fn list(
    tx: &OrgTx<TasksRead>,
    filter: TaskFilter,
    listing: PageRequest<TaskKey>,
) -> Result<Page<TaskWithTags>> {
    let assignee = filter.assignee.map(|member| member.member(tx)).transpose()?;
    let condition = Condition::all()
        .add_option(filter.term.as_ref().map(|term| contains_term(Column::SearchKey, term)))
        .add_option(filter.statuses.map(|statuses| Column::Status.is_in(statuses)))
        .add_option(filter.priority.map(|priority| Column::Priority.eq(priority)))
        .add_option(filter.due_after.map(|instant| Column::DueAt.gte(truncate_to_microseconds(instant))))
        .add_option(filter.due_before.map(|instant| Column::DueAt.lt(truncate_to_microseconds(instant))));
    let tasks = if filter.is_deleted {
        members::require_permission(tx, Permission::TasksDelete).await?;
        tx.find_deleted::<Entity>().filter(visible_with_deleted_projects(tx))
    } else {
        tx.find::<Entity>().filter(visible(tx))
    };
    let tasks = tasks.filter(condition);
    let tasks = tasks.filter_some(Column::ProjectId, filter.project);
    let mut tasks = tasks.filter_some(Column::AssigneeId, assignee);
    if let Some(tag) = filter.tag {
        let has_it = task_tags::Column::TagId.eq(tag);
        tasks = tasks.where_in::<task_tags::Entity>(Column::Id, task_tags::Column::TaskId, has_it);
    }
    let (task, tag) = (task_tags::Column::TaskId, task_tags::Column::TagId);
    let page = tasks.page_with_links::<task_tags::Entity, _>(listing, task, tag).await?;
    let with_tags =
        |(task, tags): (_, Vec<_>)| TaskWithTags { task, tags: tags.into_iter().map(TagId).collect() };
    Ok(Page { data: page.data.into_iter().map(with_tags).collect(), next: page.next })
}

/// The tasks that the caller can see whose title contains the term, the most recently changed first.
pub(crate) async fn search<P: RequiredPermission>(
    tx: &OrgTx<P>,
    term: &SearchTerm,
    limit: u64,
) -> Result<Vec<Task>> {
    let sort = Sort { key: TaskKey::UpdatedAt, descending: true };
    let tasks = tx.find::<Entity>().filter(visible(tx)).filter(contains_term(Column::SearchKey, term));
    Ok(tasks.page(PageRequest { sort, limit, after: None }).await?.data)
}

/// Gets one task.
///
/// # Errors
/// `NotFound`, also if it belongs to another organization or the caller cannot see its project.
pub async fn get(tx: &OrgTx<TasksRead>, id: TaskId) -> Result<TaskWithTags> {
    let task = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)).one().await?;
    with_tags(tx, task).await
}
