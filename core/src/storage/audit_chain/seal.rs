//! Seals events: new events are appended to the chain of their organization, in the order in which they were written.

use std::{collections::HashSet, mem, time::Duration};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, FromQueryResult,
    sea_query::{Alias, Expr, ExprTrait, Order, Query},
};

use super::{
    GENESIS, checkpoint,
    hash::{hash, instant},
    head,
    statement::{ChainStatementKind, SignedStatement, Statement},
};
use crate::{
    Error, Result,
    base::{
        crypto::MasterKey,
        ids::{CheckpointId, OrgId},
        pagination::{PageRequest, Sort},
        permissions::{AuditOrigin, Platform},
    },
    storage::{
        audit::{self, EventKey},
        db::{Db, OrgTx},
        signing_keys::{self, KeyPair},
    },
};

/// Maximum number of events that one transaction seals.
const BATCH: u64 = 500;

/// Maximum number of organizations in one round.
const ROUND: u64 = 1_000;

/// A checkpoint is signed when there are this many events since the last one,
const CHECKPOINT_EVENTS: i64 = 10_000;

/// or when this much time has passed.
const CHECKPOINT_AGE: Duration = Duration::from_secs(24 * 3600);

/// Signs audit logs.
#[derive(Clone)]
pub struct Signer {
    master: MasterKey,
}

impl Signer {
    /// A signer whose keys are encrypted with `master`.
    pub const fn new(master: MasterKey) -> Self {
        Self { master }
    }

    /// The active signing key. It is created if there is none.
    ///
    /// # Errors
    /// Those of [`signing_keys::audit_key`].
    pub(super) async fn key(&self, db: &Db) -> Result<KeyPair> {
        signing_keys::audit_key(db, &self.master).await
    }

    /// The keys that verify signatures.
    ///
    /// # Errors
    /// Database errors.
    pub async fn public_keys(&self, db: &Db) -> Result<Vec<signing_keys::PublicKey>> {
        signing_keys::audit_public_keys(db, &self.master).await
    }
}

/// The result of one round of sealing.
#[derive(Debug, Default)]
pub struct FlushStats {
    /// Number of sealed events.
    pub events: u64,
    /// The logs that could not be sealed, with their errors.
    pub failed: Vec<(OrgId, Error)>,
}

/// The logs with events that are not sealed.
#[derive(Debug, Default)]
pub struct Unsealed {
    /// Age of the oldest event that is not sealed.
    pub lag: Duration,
    organizations: Vec<OrgId>,
}

impl Unsealed {
    /// Returns whether no log has events that are not sealed.
    pub const fn is_empty(&self) -> bool {
        self.organizations.is_empty()
    }
}

#[derive(FromQueryResult)]
struct UnsealedLog {
    organization_id: OrgId,
    since: DateTime<Utc>,
}

/// Finds events that are not sealed.
///
/// # Errors
/// Database errors.
pub async fn unsealed(db: &Db) -> Result<Unsealed> {
    let logs = unsealed_logs(db).await?;
    let lag = logs.iter().filter_map(|log| (db.now() - log.since).to_std().ok()).max();
    let organizations = logs.into_iter().map(|log| log.organization_id).collect();
    Ok(Unsealed { lag: lag.unwrap_or_default(), organizations })
}

/// Seals one batch of each log in `unsealed` that is not in `except`. Only the logs that may have more events stay in
/// `unsealed`, so that a long backlog is searched once and not before each batch. Several processes can run it at once,
/// because the head of a chain is locked. A log that cannot be sealed does not stop the others.
///
/// # Errors
/// If there is no signing key.
pub async fn flush(
    db: &Db,
    signer: &Signer,
    unsealed: &mut Unsealed,
    except: &HashSet<OrgId>,
) -> Result<FlushStats> {
    let mut stats = FlushStats::default();
    let mut organizations = mem::take(&mut unsealed.organizations);
    organizations.retain(|org| !except.contains(org));
    if organizations.is_empty() {
        return Ok(stats);
    }
    let key = signer.key(db).await?;
    for org in organizations {
        match seal(db, &key, org).await {
            Ok(sealed) => {
                stats.events += sealed;
                if sealed == BATCH {
                    unsealed.organizations.push(org);
                }
            }
            Err(error) => stats.failed.push((org, error)),
        }
    }
    Ok(stats)
}

/// The oldest come first.
async fn unsealed_logs(db: &Db) -> Result<Vec<UnsealedLog>> {
    #[expect(clippy::disallowed_methods, reason = "finds the logs that have something to seal")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column(audit::Column::OrganizationId)
        .expr_as(Expr::col(audit::Column::OccurredAt).min(), "since")
        .from(audit::Entity)
        .and_where(Expr::col(audit::Column::Seq).is_null())
        .group_by_col(audit::Column::OrganizationId)
        .order_by(Alias::new("since"), Order::Asc)
        .limit(ROUND);
    tx.rows(&query).await
}

async fn seal(db: &Db, key: &KeyPair, org: OrgId) -> Result<u64> {
    let tx = db.begin_global(AuditOrigin::WORKER).await?;
    #[expect(clippy::disallowed_methods, reason = "only the platform seals logs")]
    let scope = tx.enter_org(org).await?;
    let sealed = seal_batch(&scope, key).await?;
    drop(scope);
    #[expect(clippy::disallowed_methods, reason = "sealing does not change the content of events")]
    tx.commit_unaudited().await?;
    Ok(sealed)
}

async fn seal_batch(scope: &OrgTx<Platform>, key: &KeyPair) -> Result<u64> {
    let mut head = lock_head(scope).await?;
    let sort = Sort { key: EventKey::OccurredAt, descending: false };
    let request = PageRequest { limit: BATCH, sort, after: None };
    let unsealed = scope.find::<audit::Entity>().filter(audit::Column::Seq.is_null());
    let events = unsealed.page(request).await?.data;
    if events.is_empty() {
        return Ok(0);
    }
    let mut rows = Vec::with_capacity(events.len());
    for event in &events {
        let (seq, before) = (head.last_seq + 1, head.last_hash);
        let hash = hash(event, seq, &before)?;
        rows.push((event.id.0.into(), vec![seq.into(), before.into(), hash.clone().into()]));
        (head.last_seq, head.last_hash) = (seq, hash);
    }
    let columns = [audit::Column::Seq, audit::Column::PrevHash, audit::Column::Hash];
    let sealed = scope.update_each::<audit::Entity>(&columns, rows).await?;
    if sealed != events.len() as u64 {
        return Err(Error::Internal("an event was not there to be sealed"));
    }
    head.sealed_at = scope.now();
    let signed = statement_of(scope, &head, ChainStatementKind::Head).sign(key)?;
    (head.signature, head.key_id) = (signed.signature, signed.key_id);
    let age = (scope.now() - head.checkpointed_at).to_std().unwrap_or_default();
    let is_first = head.checkpointed_seq == 0;
    if is_first || head.last_seq - head.checkpointed_seq >= CHECKPOINT_EVENTS || age >= CHECKPOINT_AGE {
        let signed = statement_of(scope, &head, ChainStatementKind::Periodic).sign(key)?;
        write_checkpoint(scope, &signed).await?;
        (head.checkpointed_seq, head.checkpointed_at) = (head.last_seq, scope.now());
    }
    update_head(scope, head).await?;
    Ok(sealed)
}

/// A statement about the current end of the chain.
pub(super) fn statement_of(
    scope: &OrgTx<Platform>,
    head: &head::Model,
    kind: ChainStatementKind,
) -> Statement {
    Statement {
        kind,
        organization_id: scope.org(),
        seq: head.last_seq,
        hash: head.last_hash.clone(),
        time: scope.now(),
    }
}

/// Stores a checkpoint, and writes it to the program's log, too.
pub(super) async fn write_checkpoint(scope: &OrgTx<Platform>, signed: &SignedStatement) -> Result<()> {
    let SignedStatement { statement, key_id, signature } = signed;
    let row = checkpoint::ActiveModel {
        id: Set(CheckpointId::new(scope.now())),
        kind: Set(statement.kind.as_str().to_owned()),
        seq: Set(statement.seq),
        hash: Set(statement.hash.clone()),
        signature: Set(signature.clone()),
        key_id: Set(key_id.clone()),
        created_at: Set(statement.time),
        ..Default::default()
    };
    scope.insert(row).await?;
    tracing::info!(
        target: "insula::audit::checkpoint",
        organization_id = %statement.organization_id,
        kind = statement.kind.as_str(),
        seq = statement.seq,
        hash = statement.hash,
        time = instant(statement.time),
        key_id,
        signature,
        "audit log signed"
    );
    Ok(())
}

/// The end of the chain, locked against other processes that seal.
pub(super) async fn lock_head(scope: &OrgTx<Platform>) -> Result<head::Model> {
    let find = || scope.find::<head::Entity>().one_locked();
    match find().await {
        Err(Error::NotFound(_)) => {
            let now = scope.now();
            let row = head::ActiveModel {
                id: Set(scope.org()),
                last_seq: Set(0),
                last_hash: Set(GENESIS.to_owned()),
                sealed_at: Set(now),
                signature: Set(String::new()),
                key_id: Set(String::new()),
                pruned_seq: Set(0),
                checkpointed_seq: Set(0),
                checkpointed_at: Set(now),
                created_at: Set(now),
                updated_at: Set(now),
                ..Default::default()
            };
            scope.insert_if_absent(row, &[head::Column::Id]).await?;
            find().await
        }
        found => found,
    }
}

/// Stores the new end of the chain.
pub(super) async fn update_head(scope: &OrgTx<Platform>, head: head::Model) -> Result<()> {
    let row = head::ActiveModel {
        id: Set(head.id),
        last_seq: Set(head.last_seq),
        last_hash: Set(head.last_hash),
        sealed_at: Set(head.sealed_at),
        signature: Set(head.signature),
        key_id: Set(head.key_id),
        pruned_seq: Set(head.pruned_seq),
        checkpointed_seq: Set(head.checkpointed_seq),
        checkpointed_at: Set(head.checkpointed_at),
        updated_at: Set(scope.now()),
        ..Default::default()
    };
    scope.update(row).await.map(drop)
}
