//! What is done because time has passed: what has expired goes, what is done is forgotten, keys take turns. Each is safe
//! to repeat, by several processes too.
//!
//! What removes rows removes one batch and gives their number: whoever calls it goes on until that is 0, and can stop in
//! between. No batch holds a transaction for long.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, FromQueryResult, Order,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};
use uuid::Uuid;

use crate::{
    Result,
    base::{
        crypto::MasterKey,
        error::{BatchResult, ErrorCode},
        ids::OrgId,
        permissions::AuditOrigin,
    },
    identity::{one_time_tokens, sessions},
    runtime::config::Config,
    storage::{
        audit_chain::{self, Signer},
        db::{Db, GlobalTable, TenantTable},
        emails, idempotency, outbox,
        signing_keys::{self, Schedule},
    },
    tenancy::{
        organizations::{self, slug_history},
        settings,
    },
};

/// Most rows that one transaction removes.
const BATCH: u64 = 1_000;

/// For so long dead jobs wait for somebody to look at them, even where done ones are forgotten sooner.
const DEAD_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long is kept what nobody needs any more.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Jobs that are done or cancelled; those given up wait for 30 days at least.
    pub jobs: Duration,
    /// What became of mails, after the last attempt.
    pub emails: Duration,
}

impl Retention {
    /// As it is configured.
    pub const fn of(config: &Config) -> Self {
        Self { jobs: config.job_retention, emails: config.email_retention }
    }
}

/// Removes expired sessions: at most one batch; gives their number.
///
/// # Errors
/// Whatever the database refuses; what was removed before stays removed.
pub async fn expire_sessions(db: &Db) -> Result<u64> {
    let (id, expiry) = (sessions::Column::Id, sessions::Column::ExpiresAt);
    delete::<sessions::Entity>(db, id, expiry, expiry.lte(db.now())).await
}

/// Removes mailed tokens past their time: at most one batch; gives their number.
///
/// # Errors
/// As [`expire_sessions`].
pub async fn expire_tokens(db: &Db) -> Result<u64> {
    let (id, expiry) = (one_time_tokens::Column::Id, one_time_tokens::Column::ExpiresAt);
    delete::<one_time_tokens::Entity>(db, id, expiry, expiry.lte(db.now())).await
}

/// Removes remembered answers past their time: at most one batch; gives their number.
///
/// # Errors
/// As [`expire_sessions`].
pub async fn expire_idempotency_keys(db: &Db) -> Result<u64> {
    let expiry = idempotency::Column::ExpiresAt;
    delete_inside::<idempotency::Entity>(db, expiry, expiry.lte(db.now()).into()).await
}

/// Forgets what organizations were called before, past its time: at most one batch; gives their number. The slugs are
/// anybody's then.
///
/// # Errors
/// As [`expire_sessions`].
pub async fn expire_slugs(db: &Db) -> Result<u64> {
    let expiry = slug_history::Column::ExpiresAt;
    delete_inside::<slug_history::Entity>(db, expiry, expiry.lte(db.now()).into()).await
}

/// Forgets jobs that were settled longer than `kept` ago: at most one batch; gives their number.
///
/// # Errors
/// As [`expire_sessions`].
pub async fn purge_jobs(db: &Db, kept: Duration) -> Result<u64> {
    use outbox::{Column, State};
    let settled = |states: &[State], kept| {
        let before = before(db.now(), kept);
        Condition::all()
            .add(Column::State.is_in(states.iter().copied()))
            .add(Column::UpdatedAt.lte(before))
            // Implied; but in this order there is an index.
            .add(Column::CreatedAt.lte(before))
    };
    let due = Condition::any()
        .add(settled(&[State::Done, State::Cancelled], kept))
        .add(settled(&[State::Dead], kept.max(DEAD_KEPT)));
    delete_inside::<outbox::Entity>(db, Column::CreatedAt, due).await
}

/// Forgets what became of mails that were last tried longer than `kept` ago: at most one batch; gives their number.
///
/// # Errors
/// As [`expire_sessions`].
pub async fn purge_emails(db: &Db, kept: Duration) -> Result<u64> {
    use emails::Column;
    let before = before(db.now(), kept);
    let due = Condition::all().add(Column::UpdatedAt.lte(before)).add(Column::CreatedAt.lte(before));
    delete_inside::<emails::Entity>(db, Column::CreatedAt, due).await
}

/// Does what is due with the keys that sign; makes the first one, so servers call it at start too.
///
/// # Errors
/// `Misconfigured` when a key opens neither with the master key nor with the previous one.
pub async fn advance_keys(db: &Db, master: &MasterKey, schedule: &Schedule) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    match signing_keys::advance(&tx, master, schedule).await {
        Ok(()) => tx.commit().await,
        // Another process has just done it.
        Err(error) if error.code() == ErrorCode::Conflict => Ok(()),
        Err(error) => Err(error),
    }
}

#[derive(FromQueryResult)]
struct Kept {
    organization_id: OrgId,
    settings: Option<String>,
}

/// Lets go of what audit logs hold that is older than their organizations keep: at most one batch of each; gives the number
/// of events. The log of an organization that is no more is kept as long as usual, and so is that of the platform.
///
/// # Errors
/// Whatever the database refuses, once every other log had its turn.
pub async fn prune_audit_logs(db: &Db, signer: &Signer) -> Result<u64> {
    let mut pruned = BatchResult::default();
    for Kept { organization_id, settings } in old_logs(db).await? {
        let cutoff = db.now() - settings::audit_retention(settings.as_deref());
        if let Some(error) = pruned.add(audit_chain::prune(db, signer, organization_id, cutoff).await) {
            tracing::error!(%error, organization = %organization_id, "could not prune an audit log");
        }
    }
    pruned.into_result()
}

/// The logs that are old enough to hold anything that might go.
async fn old_logs(db: &Db) -> Result<Vec<Kept>> {
    let shortest = TimeDelta::days((*settings::AUDIT_RETENTION_DAYS.start()).into());
    let mut query = Query::select();
    query
        .column((audit_chain::HeadEntity, audit_chain::HeadColumn::OrganizationId))
        .column((organizations::Entity, organizations::Column::Settings))
        .from(audit_chain::HeadEntity)
        .left_join(
            organizations::Entity,
            Expr::col((organizations::Entity, organizations::Column::Id))
                .equals((audit_chain::HeadEntity, audit_chain::HeadColumn::OrganizationId)),
        )
        .and_where(
            Expr::col((audit_chain::HeadEntity, audit_chain::HeadColumn::CreatedAt)).lte(db.now() - shortest),
        );
    #[expect(clippy::disallowed_methods, reason = "finds the logs there are, whosever they are")]
    let tx = db.unscoped().await?;
    tx.rows(&query).await
}

/// The instant so long before `now`; the first there is when that is longer ago than can be written.
fn before(now: DateTime<Utc>, kept: Duration) -> DateTime<Utc> {
    let kept = TimeDelta::from_std(kept).ok();
    kept.and_then(|kept| now.checked_sub_signed(kept)).unwrap_or(DateTime::UNIX_EPOCH)
}

#[derive(FromQueryResult)]
struct Found {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct FoundInside {
    organization_id: OrgId,
    id: Uuid,
}

/// The first batch of what `due` names, by `order`.
async fn find<M: FromQueryResult + Send + Sync>(db: &Db, query: &mut SelectStatement) -> Result<Vec<M>> {
    #[expect(clippy::disallowed_methods, reason = "finds what to clean up, whose ever it is")]
    let tx = db.unscoped().await?;
    tx.rows(query.limit(BATCH)).await
}

/// Deletes a batch of what `due` names of a table that no organization owns, the first by `order` first.
async fn delete<E: GlobalTable>(
    db: &Db,
    id: E::Column,
    order: E::Column,
    due: impl Into<Condition>,
) -> Result<u64> {
    let (due, mut query) = (due.into(), Query::select());
    query.column(id).from(E::default()).cond_where(due.clone()).order_by(order, Order::Asc);
    let found: Vec<Found> = find(db, &mut query).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let ids = id.is_in(found.into_iter().map(|found| found.id));
    let deleted = tx.delete::<E>(Condition::all().add(ids).add(due)).await?;
    #[expect(clippy::disallowed_methods, reason = "when each would end was settled when it was made")]
    tx.commit_unaudited().await?;
    Ok(deleted)
}

/// Deletes a batch of what `due` names, the first by `order` first: each row inside its organization, all in one
/// transaction.
async fn delete_inside<E: TenantTable>(db: &Db, order: E::Column, due: Condition) -> Result<u64> {
    let mut query = Query::select();
    query.columns([E::ORG, E::ID]).from(E::default()).cond_where(due.clone()).order_by(order, Order::Asc);
    let mut found: BTreeMap<OrgId, Vec<Uuid>> = BTreeMap::new();
    for FoundInside { organization_id, id } in find(db, &mut query).await? {
        found.entry(organization_id).or_default().push(id);
    }
    if found.is_empty() {
        return Ok(0);
    }
    let (tx, mut deleted) = (db.begin_global(AuditOrigin::SYSTEM).await?, 0);
    for (org, ids) in found {
        #[expect(clippy::disallowed_methods, reason = "cleaning up is nobody's right but the platform's")]
        let scope = tx.enter_org(org).await?;
        // Asked again: what was found may live again, such as a dead job that somebody retries.
        deleted += scope.delete::<E>(Condition::all().add(E::ID.is_in(ids)).add(due.clone())).await?;
    }
    #[expect(clippy::disallowed_methods, reason = "nothing is lost that anybody could still see")]
    tx.commit_unaudited().await?;
    Ok(deleted)
}

#[cfg(test)]
mod tests;
