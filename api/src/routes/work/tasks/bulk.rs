//! `/organizations/{org}/tasks/bulk`: many new tasks at once, each with an outcome of its own.

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
    state::State,
};

pub struct TasksBulkApi(pub Arc<State>);

/// New tasks, each with an outcome of its own.
#[derive(Object)]
struct TaskBatchCreate {
    /// Up to a hundred.
    #[oai(validator(min_items = 1, max_items = 100))]
    tasks: Vec<TaskCreate>,
}

/// What became of several tasks.
#[derive(Object, Serialize)]
struct TaskOutcomes {
    /// In the order given.
    data: Vec<TaskOutcome>,
}

/// What became of one of several tasks. No more than its id: the whole answer has to be short enough to be remembered.
#[derive(Object, Serialize)]
struct TaskOutcome {
    /// The status it would have got by itself.
    status: u16,
    /// The new task; `null` where it was refused.
    #[oai(nullable)]
    id: Option<Uuid>,
    /// Why it was refused; `null` where it was not.
    #[oai(nullable)]
    error: Option<BulkError>,
}

#[OpenApi(tag = "Tag::Tasks")]
impl TasksBulkApi {
    /// Add several tasks
    ///
    /// Up to a hundred. What is refused to one is granted to the others: `status` of each says what it would have got by
    /// itself. A body that does not fit its schema is refused as a whole.
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
        let lost = || Err(Error::Broken("a task has no outcome"));
        let outcomes = parsed.into_iter().map(|new| new.and_then(|_| made.next().unwrap_or_else(lost)));
        let data: Vec<_> = outcomes.map(TaskOutcome::from).collect();
        let is_any = data.iter().any(|outcome| outcome.id.is_some());
        let answer = BulkResponse::new(&TaskOutcomes { data })?;
        // Where all were refused nothing was done, and whoever asks again is told the same.
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
