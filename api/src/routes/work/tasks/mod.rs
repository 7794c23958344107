//! `/organizations/{org}/tasks`: the tasks of an organization.

pub(crate) mod bulk;
mod schema;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::Error,
        ids::{ProjectId, TagId, TaskId},
        permissions::{TasksCreate, TasksDelete, TasksRead, TasksUpdate},
    },
    storage::idempotency::IdempotentBegin,
    work::tasks::{self, NewTask, TaskChanges, TaskFilter, TaskKey},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::{MergePatch, StrictJson, missing_first},
    http::{
        CreatedResponse, Cursor, EntityTag, Id, IdempotencyKey, IfMatch, IfNoneMatch, Limit, ListRequest,
        MemberOrMe, NoContent, PageResponse, SearchTerm, WithEtag,
    },
    problem::{Result, WithConflict},
    state::AppState,
};
use schema::{Task, TaskCreate, TaskPriority, TaskSort, TaskUpdate};
pub(crate) use schema::{TaskStatusName, TaskTitle};

pub struct TasksApi(pub Arc<AppState>);

#[OpenApi(tag = "Tag::Tasks")]
impl TasksApi {
    /// List tasks
    ///
    /// Returns tasks without a project and tasks of projects that you can see. A filter with an unknown id
    /// returns an empty list.
    #[oai(path = "/organizations/:org/tasks", method = "get", operation_id = "listTasks")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<TasksRead>,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<TaskSort>>,
        /// Only tasks whose title contains this text, without regard to case and accents.
        q: Query<Option<SearchTerm>>,
        /// Only tasks of this project.
        project_id: Query<Option<Id>>,
        /// Only tasks assigned to this member, by id. `me` means yourself.
        assignee_id: Query<Option<MemberOrMe>>,
        /// Only tasks with this status. Repeat it for several.
        status: Query<Option<Vec<TaskStatusName>>>,
        /// Only tasks with this priority.
        priority: Query<Option<TaskPriority>>,
        /// Only tasks with this tag (its id).
        tag: Query<Option<Id>>,
        /// Only tasks due at or after this time.
        due_after: Query<Option<DateTime<Utc>>>,
        /// Only tasks due before this time.
        due_before: Query<Option<DateTime<Utc>>>,
        /// Only deleted tasks, which can be restored; needs `tasks:delete`. Defaults to `false`.
        deleted: Query<Option<bool>>,
    ) -> Result<PageResponse<Task>, WithConflict> {
        let statuses = status.0.map(|statuses| statuses.into_iter().map(Into::into).collect());
        let term = q.0.map(SearchTerm::parse).transpose()?;
        let filter = TaskFilter {
            term,
            project: project_id.0.map(|id| ProjectId(id.0)),
            assignee: assignee_id.0.map(Into::into),
            statuses,
            priority: priority.0.map(Into::into),
            tag: tag.0.map(|id| TagId(id.0)),
            due_after: due_after.0,
            due_before: due_before.0,
            is_deleted: deleted.0.unwrap_or_default(),
        };
        let sort = sort.0.unwrap_or(TaskSort::ascending(TaskKey::CreatedAt));
        let paging =
            ListRequest::new(&self.0.cursors, request, (org.0.org(), &filter), (limit.0, sort, cursor.0))?;
        let tx = self.0.db.begin(org.0).await?;
        let page = tasks::list(&tx, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, Task::from))
    }

    /// Create a task
    ///
    /// The project and the tags must exist, and the assignee must be an active member. The error is
    /// `PROJECT_ARCHIVED` if the project is archived.
    #[oai(path = "/organizations/:org/tasks", method = "post", operation_id = "createTask")]
    async fn create(
        &self,
        org: tenant::Path<TasksCreate>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<TaskCreate>,
    ) -> Result<CreatedResponse<Task>> {
        let once = key.once(org.0.origin(), &draft);
        let new = NewTask::try_from(draft.value)?;
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let made = tasks::create(&tx, vec![new]).await?.pop();
        let task = Task::from(made.ok_or(Error::Internal("a task has no outcome"))??);
        let location = format!("/api/v1/organizations/{}/tasks/{}", task.organization_id, task.id);
        let answer = CreatedResponse::created(location, EntityTag(task.version), &task)?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Get a task
    ///
    /// Tasks of projects that you cannot see are answered with 404.
    #[oai(path = "/organizations/:org/tasks/:task", method = "get", operation_id = "getTask")]
    async fn get(
        &self,
        org: tenant::Path<TasksRead>,
        task: Path<Id>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<Task>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = tasks::get(&tx, TaskId(task.0.0)).await?;
        Ok(WithEtag::new(EntityTag(shown.task.version), known.0, || shown.into()))
    }

    /// Update a task
    ///
    /// You can do this only with tasks that you created or that are assigned to you; with `tasks:manage_all`
    /// with any task. `completed_at` is set and cleared with `status`. A task can stay in an archived project
    /// and stay assigned to a suspended member, but cannot be moved or assigned to one.
    #[oai(path = "/organizations/:org/tasks/:task", method = "patch", operation_id = "updateTask")]
    async fn change(
        &self,
        org: tenant::Path<TasksUpdate>,
        task: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<TaskUpdate>,
    ) -> Result<WithEtag<Task>> {
        let (id, changes) = (TaskId(task.0.0), patch.changes::<TaskChanges>());
        let tx = self.0.db.begin(org.0).await?;
        let changes = missing_first(changes, tasks::may(&tx, id)).await?;
        let shown = tasks::update(&tx, id, changes, &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(shown.task.version), shown.into()))
    }

    /// Delete a task
    ///
    /// You can do this only with tasks that you created or that are assigned to you; with `tasks:manage_all`
    /// with any task. A deleted task can be restored.
    #[oai(path = "/organizations/:org/tasks/:task", method = "delete", operation_id = "deleteTask")]
    async fn remove(
        &self,
        org: tenant::Path<TasksDelete>,
        task: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
    ) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        tasks::delete(&tx, TaskId(task.0.0), &IfMatch::expected(expected.0)).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Restore a task
    ///
    /// Brings back a deleted task with its id, and with those of its tags that still exist. You can do this
    /// only with tasks that you created or that are assigned to you; with `tasks:manage_all` with any task.
    /// The error is `PARENT_DELETED` if its project is deleted.
    #[oai(path = "/organizations/:org/tasks/:task/restore", method = "post", operation_id = "restoreTask")]
    async fn restore(&self, org: tenant::Path<TasksDelete>, task: Path<Id>) -> Result<WithEtag<Task>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = tasks::restore(&tx, TaskId(task.0.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(shown.task.version), shown.into()))
    }
}
