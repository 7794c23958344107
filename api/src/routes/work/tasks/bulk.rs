//! `/organizations/{org}/tasks/bulk`: create several tasks in one request, each with its own result.

use std::sync::Arc;

use insula_core::{
    base::{error::Error, permissions::TasksCreate},
    storage::idempotency::IdempotentBegin,
    work::tasks::{self, NewTask, TaskWithTags},
};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::schema::TaskCreate;
use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::StrictJson,
    http::{BulkError, BulkResponse, IdempotencyKey},
    problem::Result,
    state::AppState,
};

pub struct TasksBulkApi(pub Arc<AppState>);

/// Tasks to create, each handled separately.
#[derive(Object)]
struct TaskBatchCreate {
    /// The tasks to create, 1 to 100.
    #[oai(validator(min_items = 1, max_items = 100))]
    tasks: Vec<TaskCreate>,
}

/// The results of creating several tasks.
#[derive(Object, Serialize)]
struct TaskOutcomes {
    /// One result for each task, in the order of the request.
    data: Vec<TaskOutcome>,
}

/// The result for one task. It contains only the id, so that the whole response can be stored for an
/// `Idempotency-Key`.
#[derive(Object, Serialize)]
struct TaskOutcome {
    /// HTTP status of this task: the one that a request for this task alone would have had.
    status: u16,
    /// Id of the new task. `null` if it was not created.
    #[oai(nullable)]
    id: Option<Uuid>,
    /// Why the task was not created. `null` if it was created.
    #[oai(nullable)]
    error: Option<BulkError>,
}

#[OpenApi(tag = "Tag::Tasks")]
impl TasksBulkApi {
    /// Create several tasks
    ///
    /// Creates up to 100 tasks. Each task is handled separately, and one failure does not stop the others.
    /// `status` in each result is what a request for this task alone would have had. A body that does not
    /// match the schema is refused as a whole.
    #[oai(path = "/organizations/:org/tasks/bulk", method = "post", operation_id = "createTasks")]
    async fn create(
        &self,
        org: tenant::Path<TasksCreate>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        drafts: StrictJson<TaskBatchCreate>,
    ) -> Result<BulkResponse<TaskOutcomes>> {
        let once = key.once(org.0.origin(), &drafts);
        let parsed: Vec<_> = drafts.value.tasks.into_iter().map(NewTask::try_from).collect();
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(BulkResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let sound = parsed.iter().filter_map(|new| new.as_ref().ok().cloned()).collect();
        let mut made = tasks::create(&tx, sound).await?.into_iter();
        let lost = || Err(Error::Internal("a task has no outcome"));
        let outcomes = parsed.into_iter().map(|new| new.and_then(|_| made.next().unwrap_or_else(lost)));
        let data: Vec<_> = outcomes.map(TaskOutcome::from).collect();
        let is_any = data.iter().any(|outcome| outcome.id.is_some());
        let answer = BulkResponse::new(&TaskOutcomes { data })?;
        // If every task was refused, nothing changed, and a repeated request gets the same result without
        // being stored.
        if is_any {
            tx.commit_with(answer.stored()).await?;
        }
        Ok(answer)
    }
}

impl From<Result<TaskWithTags, Error>> for TaskOutcome {
    fn from(outcome: Result<TaskWithTags, Error>) -> Self {
        match outcome {
            Ok(shown) => Self { status: 201, id: Some(shown.task.id.0), error: None },
            Err(error) => {
                let (status, refusal) = BulkError::of(error);
                Self { status, id: None, error: Some(refusal) }
            }
        }
    }
}
