//! Administration of jobs by superusers, in all organizations. Changes are recorded in the audit log of the
//! organization of the job.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Asterisk, Query},
};
use serde_json::{Value, json};

use super::{
    OutboxJob, OutboxState,
    entity::{ActiveModel, Column, Entity},
};
use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::{JobId, OrgId},
        pagination::{Page, PageRequest},
        permissions::Platform,
    },
    storage::{
        audit::{Action, EventDetails},
        db::{Db, GlobalTx, OrgTx, SortKey, TenantTable},
    },
};

/// A filter of jobs. `None` accepts all values.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only jobs in this state.
    pub state: Option<OutboxState>,
    /// Only jobs of this queue.
    pub queue: Option<String>,
    /// Only jobs of this kind, which may be unknown to this program.
    pub kind: Option<String>,
    /// Only jobs of this organization; [`OrgId::PLATFORM`] for jobs of the platform.
    pub organization: Option<OrgId>,
}

/// The sort keys of the list of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKey {
    /// When the job was created.
    CreatedAt,
}

impl SortKey for JobKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::CreatedAt => Column::CreatedAt,
        }
    }
}

/// The facts of a job in audit events.
fn facts(job: &OutboxJob) -> Value {
    json!({ "queue": job.queue, "kind": job.kind, "state": job.state.as_str(), "attempts": job.attempts })
}

/// One page of the jobs of all organizations.
///
/// # Errors
/// Database errors.
pub async fn list(db: &Db, filter: JobFilter, request: PageRequest<JobKey>) -> Result<Page<OutboxJob>> {
    let condition = Condition::all()
        .add_option(filter.state.map(|state| Column::State.eq(state)))
        .add_option(filter.queue.map(|queue| Column::Queue.eq(queue)))
        .add_option(filter.kind.map(|kind| Column::Kind.eq(kind)))
        .add_option(filter.organization.map(|org| Column::OrganizationId.eq(org)));
    #[expect(clippy::disallowed_methods, reason = "superusers read the jobs of every organization")]
    db.unscoped().await?.page(condition, request).await
}

/// One job.
///
/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, id: JobId) -> Result<OutboxJob> {
    let mut query = Query::select();
    query.column(Asterisk).from(Entity).and_where(Column::Id.eq(id));
    #[expect(clippy::disallowed_methods, reason = "superusers read the jobs of every organization")]
    db.unscoped().await?.row(&query, Entity::NAME).await
}

/// Makes a job due now. A dead or cancelled job starts again without attempts, and a pending one does not wait for its
/// next attempt. A job that is due or running stays unchanged, without an audit event.
///
/// # Errors
/// `NotFound`; `JOB_FINISHED` if the job is done.
pub async fn retry(tx: &GlobalTx, id: JobId) -> Result<OutboxJob> {
    let scope = scope_of::<Entity>(tx, id).await?;
    let job = lock(&scope, id).await?;
    retry_now(&scope, job).await
}

/// Like [`retry`], for a locked job.
pub(super) async fn retry_now(scope: &OrgTx<Platform>, job: OutboxJob) -> Result<OutboxJob> {
    let now = scope.now();
    // A later transaction may have made the job due meanwhile, so the time of the last change counts as due.
    let is_due = job.run_at <= now.max(job.updated_at);
    let (attempts, lease_expirations) = match job.state {
        OutboxState::Done => return Err(ErrorCode::JobFinished.refuse()),
        OutboxState::Pending if is_due || job.is_running(now) => return Ok(job),
        OutboxState::Pending => (job.attempts, job.lease_expirations),
        OutboxState::Dead | OutboxState::Cancelled => (0, 0),
    };
    let row = ActiveModel {
        id: Set(job.id),
        state: Set(OutboxState::Pending),
        attempts: Set(attempts),
        lease_expirations: Set(lease_expirations),
        run_at: Set(now),
        lease_by: Set(None),
        lease_until: Set(None),
        done_at: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    let after = scope.update(row).await?;
    scope.record(Action::JobRetried, job.id, EventDetails::changed(facts(&job), facts(&after))).await?;
    scope.job_ref(job.id);
    Ok(after)
}

/// Cancels a pending job. A cancelled job stays unchanged, without an audit event.
///
/// # Errors
/// `NotFound`; `JOB_FINISHED` if the job is done or dead; `JOB_RUNNING` while a worker runs it.
pub async fn cancel(tx: &GlobalTx, id: JobId) -> Result<OutboxJob> {
    let scope = scope_of::<Entity>(tx, id).await?;
    let job = lock(&scope, id).await?;
    let now = scope.now();
    match job.state {
        OutboxState::Done | OutboxState::Dead => return Err(ErrorCode::JobFinished.refuse()),
        OutboxState::Cancelled => return Ok(job),
        OutboxState::Pending if job.is_running(now) => return Err(ErrorCode::JobRunning.refuse()),
        OutboxState::Pending => {}
    }
    let row = ActiveModel {
        id: Set(id),
        state: Set(OutboxState::Cancelled),
        // A worker whose lease expired can no longer complete the job.
        lease_by: Set(None),
        lease_until: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    let after = scope.update(row).await?;
    scope.record(Action::JobCancelled, id, EventDetails::changed(facts(&job), facts(&after))).await?;
    Ok(after)
}

/// Deletes a job that is not pending, permanently.
///
/// # Errors
/// `NotFound`; `JOB_PENDING` if the job is pending.
pub async fn delete(tx: &GlobalTx, id: JobId) -> Result<()> {
    let scope = scope_of::<Entity>(tx, id).await?;
    let job = lock(&scope, id).await?;
    if job.state == OutboxState::Pending {
        return Err(ErrorCode::JobPending.refuse());
    }
    scope.delete::<Entity>(Column::Id.eq(id)).await?;
    scope.record(Action::JobDeleted, id, EventDetails::removed(facts(&job))).await
}

/// The job, locked against workers until the transaction ends.
///
/// # Errors
/// `NotFound` if it was deleted meanwhile.
pub(super) async fn lock(scope: &OrgTx<Platform>, id: JobId) -> Result<OutboxJob> {
    scope.find::<Entity>().filter(Column::Id.eq(id)).one_locked().await
}

#[derive(FromQueryResult)]
struct Owner {
    organization_id: OrgId,
}

/// Enters the organization of a row of `E`, which its id does not contain.
///
/// # Errors
/// `NotFound` if there is no such row.
pub(super) async fn scope_of<E: TenantTable>(tx: &GlobalTx, id: JobId) -> Result<OrgTx<Platform>> {
    let mut query = Query::select();
    query.column(E::ORG).from(E::default()).and_where(E::ID.eq(id));
    #[expect(clippy::disallowed_methods, reason = "finds the organization of a row by its id")]
    let owners: Vec<Owner> = tx.query_across_orgs(&query).await?;
    let owner = owners.into_iter().next().ok_or(Error::NotFound(E::NAME))?;
    #[expect(clippy::disallowed_methods, reason = "superusers change the jobs of every organization")]
    tx.enter_org(owner.organization_id).await
}
