//! How workers take jobs, and what becomes of them. A job is somebody's for as long as his lease; who is not heard of
//! again loses it, and the number of the attempt keeps him from deciding about it afterwards.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Alias, CaseStatement, Expr, ExprTrait, Func, Order, Query, WindowStatement},
};

use super::{
    Column, Entity, Envelope, Job, State,
    complete::{self, JobResult},
    queue,
};
use crate::{
    Result,
    base::{
        ids::{JobId, OrgId},
        permissions::{AuditOrigin, Platform},
    },
    runtime::job_wakeup::JobRef,
    storage::db::{Db, OrgTx},
};

/// How long a worker may keep a job without a word. What it does with one must take less.
pub const LEASE: Duration = Duration::from_secs(60);

/// How often a job may take its worker with it before it is given up.
const MAX_LEASE_EXPIRATIONS: i32 = 10;

/// A job that is ours for [`LEASE`].
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    /// Which.
    pub job_ref: JobRef,
    /// What is to be done; `None` when nobody can read it.
    pub job: Option<Job>,
    /// Its kind, as it is stored.
    pub kind: String,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// How often it took its worker with it.
    pub lease_expirations: i32,
}

impl ClaimedJob {
    /// Has it ended so many workers that it must not be tried again?
    pub fn is_harmful(&self) -> bool {
        self.lease_expirations >= MAX_LEASE_EXPIRATIONS
    }
}

impl From<Envelope> for ClaimedJob {
    fn from(row: Envelope) -> Self {
        let job_ref = JobRef { org: row.organization_id, job: row.id };
        let (attempt, lease_expirations) = (row.attempts, row.lease_expirations);
        Self { job_ref, job: row.job(), kind: row.kind, attempt, lease_expirations }
    }
}

#[derive(FromQueryResult)]
struct Due {
    organization_id: OrgId,
    id: JobId,
}

/// At most `limit` jobs that are due and that nobody has, in turns between their organizations, oldest first.
///
/// # Errors
/// Whatever the database refuses.
pub async fn due(db: &Db, limit: u64) -> Result<Vec<JobRef>> {
    #[expect(clippy::disallowed_methods, reason = "finds what is to be done for whichever organization")]
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
        .cond_where(free(&tx.sql_now()));
    let mut query = Query::select();
    query
        .columns([Column::OrganizationId, Column::Id])
        .from_subquery(turns, Alias::new("turns"))
        .order_by(turn, Order::Asc)
        .order_by(Column::RunAt, Order::Asc)
        .limit(limit);
    let due: Vec<Due> = tx.rows(&query).await?;
    Ok(due.into_iter().map(|due| JobRef { org: due.organization_id, job: due.id }).collect())
}

/// Writes down what became of jobs, and takes those of `wanted` that are still free, in one transaction. `holder`: who
/// takes them.
///
/// # Errors
/// Whatever the database refuses; then nothing was written, and nothing taken.
pub async fn settle_and_claim(
    db: &Db,
    holder: &str,
    settled: &[JobResult],
    wanted: &[JobRef],
) -> Result<Vec<ClaimedJob>> {
    let mut orgs: BTreeMap<OrgId, (Vec<&JobResult>, Vec<JobId>)> = BTreeMap::new();
    settled.iter().for_each(|settled| orgs.entry(settled.job_ref.org).or_default().0.push(settled));
    wanted.iter().for_each(|job_ref| orgs.entry(job_ref.org).or_default().1.push(job_ref.job));
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let paused = match wanted {
        [] => Vec::new(),
        _ => tx.find::<queue::Entity>().filter(queue::Column::PausedAt.is_not_null()).all().await?,
    };
    let paused: Vec<_> = paused.into_iter().map(|queue| queue.name).collect();
    let mut claimed = Vec::new();
    for (org, (settled, wanted)) in orgs {
        #[expect(clippy::disallowed_methods, reason = "whoever asked for a job asked for it in there")]
        let scope = tx.enter_org(org).await?;
        if !settled.is_empty() {
            complete::write(&scope, holder, &settled).await?;
        }
        if !wanted.is_empty() {
            claimed.extend(take(&scope, holder, wanted, &paused).await?.into_iter().map(ClaimedJob::from));
        }
    }
    #[expect(clippy::disallowed_methods, reason = "a job is no change of its own; what it does is recorded")]
    tx.commit_unaudited().await?;
    Ok(claimed)
}

async fn take(
    scope: &OrgTx<Platform>,
    holder: &str,
    wanted: Vec<JobId>,
    paused: &[String],
) -> Result<Vec<Envelope>> {
    let lapsed = CaseStatement::new().case(Column::LeaseUntil.is_null(), 0).finally(1);
    let columns = [
        (Column::LeaseBy, Expr::value(holder)),
        (Column::LeaseUntil, scope.sql_after(LEASE)),
        (Column::Attempts, Expr::col(Column::Attempts).add(1)),
        (Column::LeaseExpirations, Expr::col(Column::LeaseExpirations).add(lapsed)),
        (Column::UpdatedAt, scope.sql_now()),
    ];
    let mut free = free(&scope.sql_now()).add(Column::Id.is_in(wanted));
    if !paused.is_empty() {
        free = free.add(Column::Queue.is_not_in(paused));
    }
    scope.update_skip_locked::<Entity>(columns, free).await
}

/// Which jobs are due and nobody's. Those of a kind that this program does not know are left for one that does.
fn free(now: &Expr) -> Condition {
    Condition::all()
        .add(Column::State.eq(State::Pending))
        .add(Expr::col(Column::RunAt).lte(now.clone()))
        .add(
            Condition::any()
                .add(Column::LeaseUntil.is_null())
                .add(Expr::col(Column::LeaseUntil).lt(now.clone())),
        )
        .add(Column::Kind.is_in(Job::KINDS.iter().copied()))
}
