//! `/admin/jobs`: what is still to be done, what was done, and what could not be.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        ids::{JobId, OrgId},
        pagination::Sort,
    },
    storage::outbox::{self, Envelope, JobFilter, JobKey, State as Stored},
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
    http::{AcceptedJob, Cursor, Id, JsonResponse, Limit, ListRequest, NoContent, PageResponse},
    problem::{Result, WithConflict},
    state::State,
};

pub struct JobsApi(pub Arc<State>);

crate::texts! {
    /// The name of a queue.
    QueueName { length: 1..=100, pattern: "^[a-z][a-z0-9_]*$", example: "mail" }
    /// What kind of job.
    JobKind { length: 1..=100, pattern: "^[a-z][a-z0-9_]*$", example: "send_welcome" }
    /// What kind of actor.
    ActorKind { length: 1..=50, example: "user" }
}

/// Where a job stands in its life. `dead`: it was tried for long, or can never succeed, and waits for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum JobState {
    Pending,
    Done,
    Dead,
    Cancelled,
}

/// On whose behalf a job is done.
#[derive(Object, Serialize)]
struct JobActor {
    /// Who: `user`, `superuser` (an operator in an organization), `system` or `anonymous`.
    kind: ActorKind,
    /// The person, where there is one.
    #[oai(nullable)]
    id: Option<Uuid>,
}

/// A job.
#[derive(Object, Serialize)]
pub(super) struct Job {
    /// The job.
    id: Uuid,
    /// Whose; `null`: the platform's own.
    #[oai(nullable)]
    organization_id: Option<Uuid>,
    /// In which queue it stands.
    queue: QueueName,
    /// What kind of job; also one that this version does not know, and leaves to a newer one.
    kind: JobKind,
    /// What it is about: ids. Any text is shown as `[redacted]`.
    #[oai(nullable)]
    payload: Option<BTreeMap<String, Value>>,
    /// On whose behalf.
    actor: JobActor,
    /// Where it stands in its life.
    state: JobState,
    /// Is a worker at it? One that vanished counts until `lease_until`.
    is_running: bool,
    /// How often it was tried.
    attempts: i32,
    /// How often a worker took it and was never heard of again.
    lapses: i32,
    /// Not before this instant.
    run_at: DateTime<Utc>,
    /// Until when the worker that took it has it.
    #[oai(nullable)]
    lease_until: Option<DateTime<Utc>>,
    /// Why the last attempt failed.
    #[oai(nullable)]
    last_error: Option<String>,
    /// When it was done.
    #[oai(nullable)]
    done_at: Option<DateTime<Utc>>,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// What the list is ordered by; `-`: from the last to the first.
#[derive(Clone, Copy, Debug, Enum)]
enum JobSort {
    #[oai(rename = "created_at")]
    CreatedAt,
    #[oai(rename = "-created_at")]
    CreatedAtDescending,
}

#[OpenApi(tag = "Tag::Platform")]
impl JobsApi {
    /// List the jobs
    ///
    /// Of every organization, the newest first. Dead letters are those with `state=dead`.
    #[oai(path = "/admin/jobs", method = "get", operation_id = "listJobs")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        _me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<JobSort>>,
        /// Only jobs that stand there.
        state: Query<Option<JobState>>,
        /// Only jobs of this queue.
        queue: Query<Option<QueueName>>,
        /// Only jobs of this kind.
        kind: Query<Option<JobKind>>,
        /// Only jobs of this organization; `00000000-0000-0000-0000-000000000000`: only the platform's own.
        organization_id: Query<Option<Id>>,
    ) -> Result<PageResponse<Job>> {
        let filter = JobFilter {
            state: state.0.map(Into::into),
            queue: queue.0.map(Into::into),
            kind: kind.0.map(Into::into),
            organization: organization_id.0.map(|id| OrgId(id.0)),
        };
        let sort = sort.0.unwrap_or(JobSort::CreatedAtDescending).into();
        let list = format!("listJobs {sort:?} {filter:?}");
        let paging = ListRequest::new(&self.0.cursors, request, list, (limit.0, sort, cursor.0))?;
        let page = outbox::list(&self.0.db, filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, |job| self.show(job)))
    }

    /// Look at a job
    #[oai(path = "/admin/jobs/:job", method = "get", operation_id = "getJob")]
    async fn get(&self, _me: SuperuserOnly, job: Path<Id>) -> Result<JsonResponse<Job>> {
        let job = outbox::get(&self.0.db, JobId(job.0.0)).await?;
        Ok(JsonResponse(self.show(job)))
    }

    /// Delete a job
    ///
    /// One that is done, dead or cancelled. Its mail cannot be sent again then.
    #[oai(path = "/admin/jobs/:job", method = "delete", operation_id = "deleteJob")]
    async fn remove(&self, me: SuperuserOnly, job: Path<Id>) -> Result<NoContent, WithConflict> {
        let tx = self.0.db.begin_global(me.origin()).await?;
        outbox::remove(&tx, JobId(job.0.0)).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Have a job done now
    ///
    /// One that is dead or cancelled starts anew; one that waits for its next attempt waits no longer. One that is due
    /// or being done stays as it is.
    #[oai(path = "/admin/jobs/:job/retry", method = "post", operation_id = "retryJob")]
    async fn retry(&self, me: SuperuserOnly, job: Path<Id>) -> Result<AcceptedJob<Job>, WithConflict> {
        let tx = self.0.db.begin_global(me.origin()).await?;
        let job = outbox::retry(&tx, JobId(job.0.0)).await?;
        tx.commit().await?;
        Ok(AcceptedJob(self.show(job)))
    }

    /// Cancel a job
    ///
    /// One that no worker is at. It can be retried.
    #[oai(path = "/admin/jobs/:job/cancel", method = "post", operation_id = "cancelJob")]
    async fn cancel(&self, me: SuperuserOnly, job: Path<Id>) -> Result<JsonResponse<Job>, WithConflict> {
        let tx = self.0.db.begin_global(me.origin()).await?;
        let job = outbox::cancel(&tx, JobId(job.0.0)).await?;
        tx.commit().await?;
        Ok(JsonResponse(self.show(job)))
    }
}

impl JobsApi {
    fn show(&self, job: Envelope) -> Job {
        Job::new(job, self.0.db.now())
    }
}

impl Job {
    /// As it is at the instant `now`.
    pub(super) fn new(job: Envelope, now: DateTime<Utc>) -> Self {
        let (kind, id) = job.actor_shown();
        Self {
            id: job.id.0,
            organization_id: super::tenant(job.organization_id),
            payload: job.payload_shown().map(|payload| payload.into_iter().collect()),
            actor: JobActor { kind: ActorKind(kind), id },
            is_running: job.is_running(now),
            state: job.state.into(),
            queue: QueueName(job.queue),
            kind: JobKind(job.kind),
            attempts: job.attempts,
            lapses: job.lapses,
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

impl From<JobSort> for Sort<JobKey> {
    fn from(sort: JobSort) -> Self {
        let descending = matches!(sort, JobSort::CreatedAtDescending);
        Self { key: JobKey::CreatedAt, descending }
    }
}
