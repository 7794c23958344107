//! `/admin/jobs`: background jobs, including finished and dead ones.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use insula_core::{
    base::ids::{JobId, OrgId},
    storage::outbox::{self, JobFilter, JobKey, OutboxJob, OutboxState as Stored},
};
use poem::Request;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::super::Tag;
use crate::{
    auth::extractors::SuperuserOnly,
    http::{AcceptedJob, Cursor, Id, JsonResponse, Limit, ListRequest, NoContent, PageResponse, sort_keys},
    problem::{Result, WithConflict},
    state::AppState,
};

pub struct JobsApi(pub Arc<AppState>);

crate::texts! {
    /// Name of a queue of background jobs.
    QueueName { length: 1..=100, pattern: "^[a-z][a-z0-9_]*$", example: "mail" }
    /// Kind of a background job.
    JobKind { length: 1..=100, pattern: "^[a-z][a-z0-9_]*$", example: "send_welcome" }
    /// Kind of actor for which a job runs.
    ActorKind { length: 1..=50, example: "user" }
}

/// State of a job: `pending` (waits or is running), `done` (finished), `dead` (failed too often or can never
/// succeed, and is not tried again unless a superuser retries it) or `cancelled` (will not run unless it is
/// retried).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum JobState {
    Pending,
    Done,
    Dead,
    Cancelled,
}

/// The actor for which a job runs.
#[derive(Object, Serialize)]
struct JobActor {
    /// Kind of actor: `user`, `superuser` (a superuser acting in an organization), `system` or `anonymous`.
    kind: ActorKind,
    /// Id of the user. `null`: the actor is not a user.
    #[oai(nullable)]
    id: Option<Uuid>,
}

/// A background job, such as sending an e-mail.
#[derive(Object, Serialize)]
pub(super) struct Job {
    /// Unique id of the job.
    id: Uuid,
    /// The organization it belongs to. `null`: the platform.
    #[oai(nullable)]
    organization_id: Option<Uuid>,
    /// Name of its queue.
    queue: QueueName,
    /// Kind of job. It can be a kind that only a newer version of the program knows and runs.
    kind: JobKind,
    /// Parameters of the job, usually ids. Any other text is shown as `[redacted]`. `null`: the parameters
    /// cannot be read.
    #[oai(nullable)]
    payload: Option<BTreeMap<String, Value>>,
    /// The actor for which the job runs.
    actor: JobActor,
    /// State of the job.
    state: JobState,
    /// Whether a worker is running the job. If the worker has crashed, this stays `true` until `lease_until`.
    is_running: bool,
    /// Number of attempts to run it.
    attempts: i32,
    /// Number of times that a worker claimed the job and its lease expired without a result.
    lease_expirations: i32,
    /// The job does not run before this time.
    run_at: DateTime<Utc>,
    /// When the lease of the worker that claimed the job expires. `null`: no worker has claimed it.
    #[oai(nullable)]
    lease_until: Option<DateTime<Utc>>,
    /// Error of the last failed attempt. `null`: no attempt failed.
    #[oai(nullable)]
    last_error: Option<String>,
    /// When the job finished. `null`: not finished.
    #[oai(nullable)]
    done_at: Option<DateTime<Utc>>,
    /// When the job was created.
    created_at: DateTime<Utc>,
    /// When the job was last changed.
    updated_at: DateTime<Utc>,
}

sort_keys! {
    JobSort of JobKey;
    created_at: CreatedAt,
}

#[OpenApi(tag = "Tag::Platform")]
impl JobsApi {
    /// List jobs
    ///
    /// Returns the jobs of all organizations, newest first by default. Use `state=dead` for the jobs that
    /// failed for good.
    #[oai(path = "/admin/jobs", method = "get", operation_id = "listJobs")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        _me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<JobSort>>,
        /// Only jobs in this state.
        state: Query<Option<JobState>>,
        /// Only jobs of this queue.
        queue: Query<Option<QueueName>>,
        /// Only jobs of this kind.
        kind: Query<Option<JobKind>>,
        /// Only jobs of this organization. `00000000-0000-0000-0000-000000000000` means only those of the
        /// platform.
        organization_id: Query<Option<Id>>,
    ) -> Result<PageResponse<Job>> {
        let filter = JobFilter {
            state: state.0.map(Into::into),
            queue: queue.0.map(Into::into),
            kind: kind.0.map(Into::into),
            organization: organization_id.0.map(|id| OrgId(id.0)),
        };
        let sort = sort.0.unwrap_or(JobSort::descending(JobKey::CreatedAt));
        let paging = ListRequest::new(&self.0.cursors, request, &filter, (limit.0, sort, cursor.0))?;
        let page = outbox::list(&self.0.db, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, |job| self.show(job)))
    }

    /// Get a job
    ///
    /// Returns one job of any organization. Its parameters are redacted.
    #[oai(path = "/admin/jobs/:job", method = "get", operation_id = "getJob")]
    async fn get(&self, _me: SuperuserOnly, job: Path<Id>) -> Result<JsonResponse<Job>> {
        let job = outbox::get(&self.0.db, JobId(job.0.0)).await?;
        Ok(JsonResponse(self.show(job)))
    }

    /// Delete a job
    ///
    /// Permanently deletes a job that is done, dead or cancelled; otherwise the error is `JOB_PENDING`. The
    /// e-mail of a deleted job cannot be sent again.
    #[oai(path = "/admin/jobs/:job", method = "delete", operation_id = "deleteJob")]
    async fn remove(&self, me: SuperuserOnly, job: Path<Id>) -> Result<NoContent, WithConflict> {
        let tx = self.0.db.begin_global(me.origin()).await?;
        outbox::delete(&tx, JobId(job.0.0)).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Retry a job
    ///
    /// A dead or cancelled job starts again with no attempts counted. A job that waits for its next attempt
    /// runs now. A job that is due or running stays as it is. The error is `JOB_FINISHED` if the job is done.
    #[oai(path = "/admin/jobs/:job/retry", method = "post", operation_id = "retryJob")]
    async fn retry(&self, me: SuperuserOnly, job: Path<Id>) -> Result<AcceptedJob<Job>, WithConflict> {
        let tx = self.0.db.begin_global(me.origin()).await?;
        let job = outbox::retry(&tx, JobId(job.0.0)).await?;
        tx.commit().await?;
        Ok(AcceptedJob(self.show(job)))
    }

    /// Cancel a job
    ///
    /// Cancels a pending job. It can be retried later. The error is `JOB_RUNNING` while a worker runs it, and
    /// `JOB_FINISHED` if it is done or dead.
    #[oai(path = "/admin/jobs/:job/cancel", method = "post", operation_id = "cancelJob")]
    async fn cancel(&self, me: SuperuserOnly, job: Path<Id>) -> Result<JsonResponse<Job>, WithConflict> {
        let tx = self.0.db.begin_global(me.origin()).await?;
        let job = outbox::cancel(&tx, JobId(job.0.0)).await?;
        tx.commit().await?;
        Ok(JsonResponse(self.show(job)))
    }
}

impl JobsApi {
    fn show(&self, job: OutboxJob) -> Job {
        Job::new(job, self.0.db.now())
    }
}

impl Job {
    /// The job as it is at the time `now`.
    pub(super) fn new(job: OutboxJob, now: DateTime<Utc>) -> Self {
        let (kind, id) = job.parsed_actor();
        Self {
            id: job.id.0,
            organization_id: super::tenant(job.organization_id),
            payload: job.redacted_payload().map(|payload| payload.into_iter().collect()),
            actor: JobActor { kind: ActorKind(kind), id },
            is_running: job.is_running(now),
            state: job.state.into(),
            queue: QueueName(job.queue),
            kind: JobKind(job.kind),
            attempts: job.attempts,
            lease_expirations: job.lease_expirations,
            run_at: job.run_at,
            lease_until: job.lease_until,
            last_error: job.last_error,
            done_at: job.done_at,
            created_at: job.created_at,
            updated_at: job.updated_at,
        }
    }
}

impl From<Stored> for JobState {
    fn from(state: Stored) -> Self {
        match state {
            Stored::Pending => Self::Pending,
            Stored::Done => Self::Done,
            Stored::Dead => Self::Dead,
            Stored::Cancelled => Self::Cancelled,
        }
    }
}

impl From<JobState> for Stored {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Pending => Self::Pending,
            JobState::Done => Self::Done,
            JobState::Dead => Self::Dead,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}
