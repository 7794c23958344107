//! Workers claim jobs and record their results. A worker owns a job for the time of its lease. When the lease expires,
//! the job can be claimed again, and the number of the attempt prevents the first worker from completing it.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Alias, CaseStatement, Expr, ExprTrait, Func, Order, Query, WindowStatement},
};

use super::{
    Column, Entity, Job, OutboxJob, OutboxState,
    complete::{self, JobResult},
    queue,
};
use crate::{
    Result,
    base::{
        ids::{JobId, OrgId},
        permissions::{AuditOrigin, Platform},
        trace_context::TraceContext,
    },
    runtime::job_wakeup::JobRef,
    storage::db::{Db, OrgTx},
};

/// How long a worker owns a job without renewing the lease. Handling a job must take less.
pub const LEASE: Duration = Duration::from_secs(60);

/// A job is given up when its lease has expired this often.
const MAX_LEASE_EXPIRATIONS: i32 = 10;

/// A job that this worker owns for [`LEASE`].
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    /// Id and organization of the job.
    pub job_ref: JobRef,
    /// What is to be done; `None` if this program does not know the kind of job.
    pub job: Option<Job>,
    /// The kind of job, as it is stored.
    pub kind: String,
    /// Number of this attempt, from 1.
    pub attempt: i32,
    /// How often the lease of the job expired.
    pub lease_expirations: i32,
    /// The trace of the request that caused the job; a new one if no request did.
    pub trace: TraceContext,
}

impl ClaimedJob {
    /// Did the lease expire so often that the job must not be tried again?
    pub fn must_not_retry(&self) -> bool {
        self.lease_expirations >= MAX_LEASE_EXPIRATIONS
    }
}

impl From<OutboxJob> for ClaimedJob {
    fn from(row: OutboxJob) -> Self {
        let job_ref = JobRef { org: row.organization_id, job: row.id };
        let (attempt, lease_expirations) = (row.attempts, row.lease_expirations);
        let trace = row.traceparent.as_deref().and_then(TraceContext::parse);
        let trace = trace.unwrap_or_else(TraceContext::random);
        Self { job_ref, job: row.job(), kind: row.kind, attempt, lease_expirations, trace }
    }
}

#[derive(FromQueryResult)]
struct DueJob {
    organization_id: OrgId,
    id: JobId,
}

/// At most `limit` jobs that are due and not owned by a worker. They alternate between organizations, the oldest first.
///
/// # Errors
/// Database errors.
pub async fn due(db: &Db, limit: u64) -> Result<Vec<JobRef>> {
    #[expect(clippy::disallowed_methods, reason = "finds the due jobs of every organization")]
    let tx = db.unscoped().await?;
    let turn = Alias::new("turn");
    let mut turns = Query::select();
    turns
        .columns([Column::OrganizationId, Column::Id, Column::RunAt])
        .expr_window_as(
            Func::cust(Alias::new("ROW_NUMBER")),
            WindowStatement::partition_by(Column::OrganizationId).order_by(Column::RunAt, Order::Asc).take(),
            turn.clone(),
        )
        .from(Entity)
        .cond_where(claimable(&tx.sql_now()));
    let mut query = Query::select();
    query
        .columns([Column::OrganizationId, Column::Id])
        .from_subquery(turns, Alias::new("turns"))
        .order_by(turn, Order::Asc)
        .order_by(Column::RunAt, Order::Asc)
        .limit(limit);
    let due: Vec<DueJob> = tx.rows(&query).await?;
    Ok(due.into_iter().map(|due| JobRef { org: due.organization_id, job: due.id }).collect())
}

/// Records the results of jobs, and claims the jobs in `wanted` that are still claimable, in one transaction.
/// `worker_id` identifies the worker.
///
/// # Errors
/// Database errors; then nothing was recorded or claimed.
pub async fn complete_and_claim(
    db: &Db,
    worker_id: &str,
    results: &[JobResult],
    wanted: &[JobRef],
) -> Result<Vec<ClaimedJob>> {
    let mut orgs: BTreeMap<OrgId, (Vec<&JobResult>, Vec<JobId>)> = BTreeMap::new();
    results.iter().for_each(|result| orgs.entry(result.job_ref.org).or_default().0.push(result));
    wanted.iter().for_each(|job_ref| orgs.entry(job_ref.org).or_default().1.push(job_ref.job));
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let paused = match wanted {
        [] => Vec::new(),
        _ => tx.find::<queue::Entity>().filter(queue::Column::PausedAt.is_not_null()).all().await?,
    };
    let paused: Vec<_> = paused.into_iter().map(|queue| queue.name).collect();
    let mut claimed = Vec::new();
    for (org, (results, wanted)) in orgs {
        #[expect(clippy::disallowed_methods, reason = "the job belongs to this organization")]
        let scope = tx.enter_org(org).await?;
        if !results.is_empty() {
            complete::write(&scope, worker_id, &results).await?;
        }
        if !wanted.is_empty() {
            claimed
                .extend(claim(&scope, worker_id, wanted, &paused).await?.into_iter().map(ClaimedJob::from));
        }
    }
    #[expect(clippy::disallowed_methods, reason = "only the changes of a job are recorded, not the job")]
    tx.commit_unaudited().await?;
    Ok(claimed)
}

async fn claim(
    scope: &OrgTx<Platform>,
    worker_id: &str,
    wanted: Vec<JobId>,
    paused: &[String],
) -> Result<Vec<OutboxJob>> {
    let has_expired_lease = CaseStatement::new().case(Column::LeaseUntil.is_null(), 0).finally(1);
    let columns = [
        (Column::LeaseBy, Expr::value(worker_id)),
        (Column::LeaseUntil, scope.sql_after(LEASE)),
        (Column::Attempts, Expr::col(Column::Attempts).add(1)),
        (Column::LeaseExpirations, Expr::col(Column::LeaseExpirations).add(has_expired_lease)),
        (Column::UpdatedAt, scope.sql_now()),
    ];
    let mut claimable = claimable(&scope.sql_now()).add(Column::Id.is_in(wanted));
    if !paused.is_empty() {
        claimable = claimable.add(Column::Queue.is_not_in(paused));
    }
    scope.update_skip_locked::<Entity>(columns, claimable).await
}

/// Jobs that are due and not owned by a worker. Jobs of an unknown kind are left for programs that know it.
fn claimable(now: &Expr) -> Condition {
    Condition::all()
        .add(Column::State.eq(OutboxState::Pending))
        .add(Expr::col(Column::RunAt).lte(now.clone()))
        .add(
            Condition::any()
                .add(Column::LeaseUntil.is_null())
                .add(Expr::col(Column::LeaseUntil).lt(now.clone())),
        )
        .add(Column::Kind.is_in(Job::KINDS.iter().copied()))
}
