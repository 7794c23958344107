//! `/admin/queues`: how much waits where, and what is to stand still.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::storage::outbox::{self, QueueStats};
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;

use super::{super::Tag, jobs::QueueName};
use crate::{auth::extractors::SuperuserOnly, http::JsonResponse, problem::Result, state::State};

pub struct QueuesApi(pub Arc<State>);

/// How many jobs of a queue stand where.
#[derive(Object, Serialize)]
struct JobCounts {
    /// Still to be done.
    pending: i64,
    /// Done, and still kept.
    done: i64,
    /// Given up.
    dead: i64,
    /// Not to be done.
    cancelled: i64,
}

/// A queue.
#[derive(Object, Serialize)]
struct Queue {
    /// Which one.
    name: QueueName,
    /// Since when nothing of it is begun; `null`: it runs.
    #[oai(nullable)]
    paused_at: Option<DateTime<Utc>>,
    /// How many jobs stand where.
    jobs: JobCounts,
    /// When the oldest of those still to be done was asked for.
    #[oai(nullable)]
    oldest_pending_at: Option<DateTime<Utc>>,
}

/// Every queue.
#[derive(Object, Serialize)]
struct QueueList {
    /// By their names.
    data: Vec<Queue>,
}

#[OpenApi(tag = "Tag::Platform")]
impl QueuesApi {
    /// List the queues
    ///
    /// All of them, with how many jobs stand where.
    #[oai(path = "/admin/queues", method = "get", operation_id = "listQueues")]
    async fn list(&self, _me: SuperuserOnly) -> Result<JsonResponse<QueueList>> {
        let queues = outbox::queues(&self.0.db).await?;
        Ok(JsonResponse(QueueList { data: queues.into_iter().map(Into::into).collect() }))
    }

    /// Pause a queue
    ///
    /// Workers begin nothing of it any more, and finish what they are at. What waits is kept.
    #[oai(path = "/admin/queues/:queue/pause", method = "post", operation_id = "pauseQueue")]
    async fn pause(&self, me: SuperuserOnly, queue: Path<String>) -> Result<JsonResponse<Queue>> {
        let standing = outbox::standing(&self.0.db, &queue.0).await?;
        let tx = self.0.db.begin_global(me.origin()).await?;
        let standing = outbox::pause(&tx, standing).await?;
        tx.commit().await?;
        Ok(JsonResponse(standing.into()))
    }

    /// Let a queue go on
    #[oai(path = "/admin/queues/:queue/resume", method = "post", operation_id = "resumeQueue")]
    async fn resume(&self, me: SuperuserOnly, queue: Path<String>) -> Result<JsonResponse<Queue>> {
        let standing = outbox::standing(&self.0.db, &queue.0).await?;
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
