//! What operators of the platform do with jobs, whosever they are. What they change, the log of the job's own
//! organization tells.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Asterisk, Query},
};
use serde_json::{Value, json};

use super::{
    Envelope, State,
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
        audit::{Action, Details},
        db::{Db, GlobalTx, OrgTx, SortKey, TenantTable},
    },
};

/// Which jobs are wanted; `None` asks for all.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Those that stand there.
    pub state: Option<State>,
    /// Those that wait, or waited, in this queue.
    pub queue: Option<String>,
    /// Those of this kind; also one that this program does not know.
    pub kind: Option<String>,
    /// Those of this organization; [`OrgId::PLATFORM`]: those of none.
    pub organization: Option<OrgId>,
}

/// What the list of jobs can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKey {
    /// When it was asked for.
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

/// The facts of a job that an audit log tells.
fn facts(job: &Envelope) -> Value {
    json!({ "queue": job.queue, "kind": job.kind, "state": job.state.as_str(), "attempts": job.attempts })
}

/// One page of the jobs of everybody.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list(db: &Db, filter: JobFilter, listing: PageRequest<JobKey>) -> Result<Page<Envelope>> {
    let wanted = Condition::all()
        .add_option(filter.state.map(|state| Column::State.eq(state)))
        .add_option(filter.queue.map(|queue| Column::Queue.eq(queue)))
        .add_option(filter.kind.map(|kind| Column::Kind.eq(kind)))
        .add_option(filter.organization.map(|org| Column::OrganizationId.eq(org)));
    #[expect(clippy::disallowed_methods, reason = "operators look at the jobs of every organization")]
    db.unscoped().await?.page(wanted, listing).await
}

/// One job.
///
/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, id: JobId) -> Result<Envelope> {
    let mut query = Query::select();
    query.column(Asterisk).from(Entity).and_where(Column::Id.eq(id));
    #[expect(clippy::disallowed_methods, reason = "operators look at the jobs of every organization")]
    db.unscoped().await?.row(&query, Entity::NAME).await
}

/// Has a job done now: one that was given up or cancelled as if it was never tried, one that waits for its next attempt
/// without waiting. One that is due or being done stays as it is, without a trace.
///
/// # Errors
/// `NotFound`; `JOB_FINISHED` when it is done.
pub async fn retry(tx: &GlobalTx, id: JobId) -> Result<Envelope> {
    let scope = scope_of::<Entity>(tx, id).await?;
    let job = lock(&scope, id).await?;
    retry_now(&scope, job).await
}

/// [`retry`], of a job that is locked.
pub(super) async fn retry_now(scope: &OrgTx<Platform>, job: Envelope) -> Result<Envelope> {
    let now = scope.now();
    // Somebody who began later may have had it done meanwhile: due when it was last changed is due.
    let is_due = job.run_at <= now.max(job.updated_at);
    let (attempts, lease_expirations) = match job.state {
        State::Done => return Err(ErrorCode::JobFinished.refuse()),
        State::Pending if is_due || job.is_running(now) => return Ok(job),
        State::Pending => (job.attempts, job.lease_expirations),
        State::Dead | State::Cancelled => (0, 0),
    };
    let row = ActiveModel {
        id: Set(job.id),
        state: Set(State::Pending),
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
    scope.record(Action::JobRetried, job.id, Details::changed(facts(&job), facts(&after))).await?;
    scope.job_ref(job.id);
    Ok(after)
}

/// Decides that a job is not to be done. One that was cancelled stays so, without a trace.
///
/// # Errors
/// `NotFound`; `JOB_FINISHED` when it is done or was given up; `JOB_RUNNING` while a worker is at it.
pub async fn cancel(tx: &GlobalTx, id: JobId) -> Result<Envelope> {
    let scope = scope_of::<Entity>(tx, id).await?;
    let job = lock(&scope, id).await?;
    let now = scope.now();
    match job.state {
        State::Done | State::Dead => return Err(ErrorCode::JobFinished.refuse()),
        State::Cancelled => return Ok(job),
        State::Pending if job.is_running(now) => return Err(ErrorCode::JobRunning.refuse()),
        State::Pending => {}
    }
    let row = ActiveModel {
        id: Set(id),
        state: Set(State::Cancelled),
        // Whoever let it lapse and comes back has lost it.
        lease_by: Set(None),
        lease_until: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    let after = scope.update(row).await?;
    scope.record(Action::JobCancelled, id, Details::changed(facts(&job), facts(&after))).await?;
    Ok(after)
}

/// Deletes a job that is over, for good.
///
/// # Errors
/// `NotFound`; `JOB_PENDING` when it is still to be done.
pub async fn remove(tx: &GlobalTx, id: JobId) -> Result<()> {
    let scope = scope_of::<Entity>(tx, id).await?;
    let job = lock(&scope, id).await?;
    if job.state == State::Pending {
        return Err(ErrorCode::JobPending.refuse());
    }
    scope.delete::<Entity>(Column::Id.eq(id)).await?;
    scope.record(Action::JobDeleted, id, Details::removed(facts(&job))).await
}

/// The job, locked against workers that would claim or settle it, until the transaction ends.
///
/// # Errors
/// `NotFound` when it was deleted meanwhile.
pub(super) async fn lock(scope: &OrgTx<Platform>, id: JobId) -> Result<Envelope> {
    scope.find::<Entity>().filter(Column::Id.eq(id)).one_locked().await
}

#[derive(FromQueryResult)]
struct Owner {
    organization_id: OrgId,
}

/// Steps into the organization that a row of `E` belongs to: its id alone does not say whose it is.
///
/// # Errors
/// `NotFound` when there is no such row.
pub(super) async fn scope_of<E: TenantTable>(tx: &GlobalTx, id: JobId) -> Result<OrgTx<Platform>> {
    let mut query = Query::select();
    query.column(E::ORG).from(E::default()).and_where(E::ID.eq(id));
    #[expect(clippy::disallowed_methods, reason = "finds whose a row is that an operator names by its id")]
    let owners: Vec<Owner> = tx.query_across_orgs(&query).await?;
    let owner = owners.into_iter().next().ok_or(Error::NotFound(E::NAME))?;
    #[expect(clippy::disallowed_methods, reason = "operators change the jobs of every organization")]
    tx.enter_org(owner.organization_id).await
}
