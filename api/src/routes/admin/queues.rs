//! `/admin/queues`: the queues of background jobs, and pausing them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::storage::outbox::{self, QueueStats};
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;

use super::{super::Tag, jobs::QueueName};
use crate::{auth::extractors::SuperuserOnly, http::JsonResponse, problem::Result, state::AppState};

pub struct QueuesApi(pub Arc<AppState>);

/// Number of jobs of a queue by state.
#[derive(Object, Serialize)]
struct JobCounts {
    /// Jobs that wait or are running.
    pending: i64,
    /// Finished jobs that are still stored.
    done: i64,
    /// Jobs that failed for good.
    dead: i64,
    /// Jobs that were cancelled.
    cancelled: i64,
}

/// A queue of background jobs.
#[derive(Object, Serialize)]
struct Queue {
    /// Name of the queue.
    name: QueueName,
    /// When the queue was paused. `null`: it is not paused.
    #[oai(nullable)]
    paused_at: Option<DateTime<Utc>>,
    /// Number of jobs by state.
    jobs: JobCounts,
    /// When the oldest pending job was created. `null`: no job is pending.
    #[oai(nullable)]
    oldest_pending_at: Option<DateTime<Utc>>,
}

/// The queues of background jobs.
#[derive(Object, Serialize)]
struct QueueList {
    /// The queues, sorted by name.
    data: Vec<Queue>,
}

#[OpenApi(tag = "Tag::Platform")]
impl QueuesApi {
    /// List queues
    ///
    /// Returns all queues with the number of their jobs by state, including empty queues.
    #[oai(path = "/admin/queues", method = "get", operation_id = "listQueues")]
    async fn list(&self, _me: SuperuserOnly) -> Result<JsonResponse<QueueList>> {
        let queues = outbox::queues(&self.0.db).await?;
        Ok(JsonResponse(QueueList { data: queues.into_iter().map(Into::into).collect() }))
    }

    /// Pause a queue
    ///
    /// Workers start no more jobs of this queue, and finish the jobs that are running. Waiting jobs are kept.
    /// Pausing a paused queue changes nothing.
    #[oai(path = "/admin/queues/:queue/pause", method = "post", operation_id = "pauseQueue")]
    async fn pause(&self, me: SuperuserOnly, queue: Path<String>) -> Result<JsonResponse<Queue>> {
        let standing = outbox::get_queue(&self.0.db, &queue.0).await?;
        let tx = self.0.db.begin_global(me.origin()).await?;
        let standing = outbox::pause(&tx, standing).await?;
        tx.commit().await?;
        Ok(JsonResponse(standing.into()))
    }

    /// Resume a queue
    ///
    /// Workers start jobs of this queue again. Resuming a queue that is not paused changes nothing.
    #[oai(path = "/admin/queues/:queue/resume", method = "post", operation_id = "resumeQueue")]
    async fn resume(&self, me: SuperuserOnly, queue: Path<String>) -> Result<JsonResponse<Queue>> {
        let standing = outbox::get_queue(&self.0.db, &queue.0).await?;
        let tx = self.0.db.begin_global(me.origin()).await?;
        let standing = outbox::resume(&tx, standing).await?;
        tx.commit().await?;
        Ok(JsonResponse(standing.into()))
    }
}

impl From<QueueStats> for Queue {
    fn from(standing: QueueStats) -> Self {
        let QueueStats { name, paused_at, pending, done, dead, cancelled, oldest_pending_at } = standing;
        let jobs = JobCounts { pending, done, dead, cancelled };
        Self { name: QueueName(name), paused_at, jobs, oldest_pending_at }
    }
}
