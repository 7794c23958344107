//! Periodic tasks: delete expired rows, purge finished jobs and e-mails, rotate keys. Each can be repeated, also by
//! several processes at once.
//!
//! A task that deletes rows deletes one batch and returns its size. The caller repeats it until that is 0, and can stop
//! in between. No batch holds a transaction for long.

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

/// Maximum rows that one transaction deletes.
const BATCH: u64 = 1_000;

/// Dead jobs are kept at least this long, so that a superuser can handle them, even if finished jobs are purged
/// earlier.
const DEAD_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long finished jobs and e-mails are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// For done and cancelled jobs. Dead jobs are kept for 30 days at least.
    pub jobs: Duration,
    /// For delivery records, from the last attempt.
    pub emails: Duration,
}

impl Retention {
    /// The settings of the installation.
    pub const fn of(config: &Config) -> Self {
        Self { jobs: config.job_retention, emails: config.email_retention }
    }
}

/// Deletes at most one batch of expired sessions and returns their number.
///
/// # Errors
/// Errors of the database. Batches deleted before stay deleted.
pub async fn expire_sessions(db: &Db) -> Result<u64> {
    let (id, expiry) = (sessions::Column::Id, sessions::Column::ExpiresAt);
    delete::<sessions::Entity>(db, id, expiry, expiry.lte(db.now())).await
}

/// Deletes at most one batch of expired e-mailed tokens and returns their number.
///
/// # Errors
/// See [`expire_sessions`].
pub async fn expire_tokens(db: &Db) -> Result<u64> {
    let (id, expiry) = (one_time_tokens::Column::Id, one_time_tokens::Column::ExpiresAt);
    delete::<one_time_tokens::Entity>(db, id, expiry, expiry.lte(db.now())).await
}

/// Deletes at most one batch of expired idempotency keys and returns their number.
///
/// # Errors
/// See [`expire_sessions`].
pub async fn expire_idempotency_keys(db: &Db) -> Result<u64> {
    let expiry = idempotency::Column::ExpiresAt;
    delete_in_orgs::<idempotency::Entity>(db, expiry, expiry.lte(db.now()).into()).await
}

/// Deletes at most one batch of expired former slugs and returns their number. Other organizations can then take the
/// slugs.
///
/// # Errors
/// See [`expire_sessions`].
pub async fn expire_slugs(db: &Db) -> Result<u64> {
    let expiry = slug_history::Column::ExpiresAt;
    delete_in_orgs::<slug_history::Entity>(db, expiry, expiry.lte(db.now()).into()).await
}

/// Deletes at most one batch of jobs that finished longer than `kept` ago, and returns their number.
///
/// # Errors
/// See [`expire_sessions`].
pub async fn purge_jobs(db: &Db, kept: Duration) -> Result<u64> {
    use outbox::{Column, OutboxState};
    let finished = |states: &[OutboxState], kept| {
        let before = before(db.now(), kept);
        Condition::all()
            .add(Column::State.is_in(states.iter().copied()))
            .add(Column::UpdatedAt.lte(before))
            // Implied by the line above, but there is an index on this column.
            .add(Column::CreatedAt.lte(before))
    };
    let due = Condition::any()
        .add(finished(&[OutboxState::Done, OutboxState::Cancelled], kept))
        .add(finished(&[OutboxState::Dead], kept.max(DEAD_KEPT)));
    delete_in_orgs::<outbox::Entity>(db, Column::CreatedAt, due).await
}

/// Deletes at most one batch of delivery records that were last changed longer than `kept` ago, and returns their
/// number.
///
/// # Errors
/// See [`expire_sessions`].
pub async fn purge_emails(db: &Db, kept: Duration) -> Result<u64> {
    use emails::Column;
    let before = before(db.now(), kept);
    let due = Condition::all().add(Column::UpdatedAt.lte(before)).add(Column::CreatedAt.lte(before));
    delete_in_orgs::<emails::Entity>(db, Column::CreatedAt, due).await
}

/// Advances the signing keys if it is time. Creates the first key, so servers also call it at start.
///
/// # Errors
/// `Misconfigured` if neither the master key nor the previous one decrypts a key.
pub async fn advance_keys(db: &Db, master: &MasterKey, schedule: &Schedule) -> Result<()> {
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    match signing_keys::advance(&tx, master, schedule).await {
        Ok(()) => tx.commit().await,
        // Another process did it at the same time.
        Err(error) if error.code() == ErrorCode::Conflict => Ok(()),
        Err(error) => Err(error),
    }
}

#[derive(FromQueryResult)]
struct AuditLogRow {
    organization_id: OrgId,
    settings: Option<String>,
}

/// Deletes at most one batch of events from each audit log that are older than the retention of its organization, and
/// returns their number. Logs of purged organizations and of the platform have the default retention.
///
/// # Errors
/// Errors of the database, after all other logs were handled.
pub async fn prune_audit_logs(db: &Db, signer: &Signer) -> Result<u64> {
    let mut pruned = BatchResult::default();
    for AuditLogRow { organization_id, settings } in old_logs(db).await? {
        let cutoff = db.now() - settings::audit_retention(settings.as_deref());
        if let Some(error) = pruned.add(audit_chain::prune(db, signer, organization_id, cutoff).await) {
            tracing::error!(%error, organization = %organization_id, "could not prune an audit log");
        }
    }
    pruned.into_result()
}

/// The logs that are old enough to contain events to delete.
async fn old_logs(db: &Db) -> Result<Vec<AuditLogRow>> {
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
    #[expect(clippy::disallowed_methods, reason = "lists the logs of all organizations")]
    let tx = db.unscoped().await?;
    tx.rows(&query).await
}

/// The time `kept` before `now`; the Unix epoch if that is out of range.
fn before(now: DateTime<Utc>, kept: Duration) -> DateTime<Utc> {
    let kept = TimeDelta::from_std(kept).ok();
    kept.and_then(|kept| now.checked_sub_signed(kept)).unwrap_or(DateTime::UNIX_EPOCH)
}

#[derive(FromQueryResult)]
struct RowId {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct TenantRowId {
    organization_id: OrgId,
    id: Uuid,
}

/// Queries the first batch of `query`, from all organizations.
async fn find<M: FromQueryResult + Send + Sync>(db: &Db, query: &mut SelectStatement) -> Result<Vec<M>> {
    #[expect(clippy::disallowed_methods, reason = "lists expired rows of all organizations")]
    let tx = db.unscoped().await?;
    tx.rows(query.limit(BATCH)).await
}

/// Deletes a batch of rows that match `due` from a table that belongs to no organization, in the order of `order`.
async fn delete<E: GlobalTable>(
    db: &Db,
    id: E::Column,
    order: E::Column,
    due: impl Into<Condition>,
) -> Result<u64> {
    let (due, mut query) = (due.into(), Query::select());
    query.column(id).from(E::default()).cond_where(due.clone()).order_by(order, Order::Asc);
    let found: Vec<RowId> = find(db, &mut query).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let tx = db.begin_global(AuditOrigin::SYSTEM).await?;
    let ids = id.is_in(found.into_iter().map(|found| found.id));
    let deleted = tx.delete::<E>(Condition::all().add(ids).add(due)).await?;
    #[expect(clippy::disallowed_methods, reason = "the end of each row was known at its creation")]
    tx.commit_unaudited().await?;
    Ok(deleted)
}

/// Deletes a batch of rows that match `due`, in the order of `order`. Each row is deleted inside its organization, all
/// in one transaction.
async fn delete_in_orgs<E: TenantTable>(db: &Db, order: E::Column, due: Condition) -> Result<u64> {
    let mut query = Query::select();
    query.columns([E::ORG, E::ID]).from(E::default()).cond_where(due.clone()).order_by(order, Order::Asc);
    let mut found: BTreeMap<OrgId, Vec<Uuid>> = BTreeMap::new();
    for TenantRowId { organization_id, id } in find(db, &mut query).await? {
        found.entry(organization_id).or_default().push(id);
    }
    if found.is_empty() {
        return Ok(0);
    }
    let (tx, mut deleted) = (db.begin_global(AuditOrigin::SYSTEM).await?, 0);
    for (org, ids) in found {
        #[expect(clippy::disallowed_methods, reason = "only the platform deletes expired rows")]
        let scope = tx.enter_org(org).await?;
        // `due` is checked again, because a row can have changed, such as a dead job that was retried.
        deleted += scope.delete::<E>(Condition::all().add(E::ID.is_in(ids)).add(due.clone())).await?;
    }
    #[expect(clippy::disallowed_methods, reason = "only invisible rows are deleted")]
    tx.commit_unaudited().await?;
    Ok(deleted)
}

#[cfg(test)]
mod tests;
