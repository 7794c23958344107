//! Sealing: what was written since is added to the chain of its organization, in the order it was written.

use std::{collections::HashSet, time::Duration};

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
    statement::{Kind, SignedStatement, Statement},
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

/// Most events that one transaction seals.
const BATCH: u64 = 500;

/// Most organizations that one round looks at.
const ROUND: u64 = 1_000;

/// A checkpoint is made when so many events came since the last one,
const CHECKPOINT_EVENTS: i64 = 10_000;

/// or when so much time has passed.
const CHECKPOINT_AGE: Duration = Duration::from_secs(24 * 3600);

/// Who signs.
#[derive(Clone)]
pub struct Signer {
    master: MasterKey,
}

impl Signer {
    /// With the key that `master` opens.
    pub const fn new(master: MasterKey) -> Self {
        Self { master }
    }

    /// The key that signs now; made when there is none.
    ///
    /// # Errors
    /// As [`signing_keys::audit_key`].
    pub(super) async fn key(&self, db: &Db) -> Result<KeyPair> {
        signing_keys::audit_key(db, &self.master).await
    }

    /// The keys that verify.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn public_keys(&self, db: &Db) -> Result<Vec<signing_keys::PublicKey>> {
        signing_keys::audit_public_keys(db, &self.master).await
    }
}

/// What one round of sealing found and did.
#[derive(Debug, Default)]
pub struct FlushStats {
    /// How many events were sealed.
    pub events: u64,
    /// The logs that could not be sealed, and why.
    pub failed: Vec<(OrgId, Error)>,
}

/// The logs that have something to seal.
#[derive(Debug, Default)]
pub struct Unsealed {
    /// For how long the event has waited that has waited longest.
    pub lag: Duration,
    organizations: Vec<OrgId>,
}

#[derive(FromQueryResult)]
struct Waiting {
    organization_id: OrgId,
    since: DateTime<Utc>,
}

/// Looks for events to seal.
///
/// # Errors
/// Whatever the database refuses.
pub async fn unsealed(db: &Db) -> Result<Unsealed> {
    let waiting = waiting(db).await?;
    let lag = waiting.iter().filter_map(|waiting| (db.now() - waiting.since).to_std().ok()).max();
    let organizations = waiting.into_iter().map(|waiting| waiting.organization_id).collect();
    Ok(Unsealed { lag: lag.unwrap_or_default(), organizations })
}

/// Seals one batch of each log in `unsealed` that is not in `but`. To be repeated until there are none. Safe for several
/// processes at once: a chain has one end, and whoever holds it adds to it. A log that cannot be sealed keeps no other from
/// it.
///
/// # Errors
/// When there is no key to sign with.
pub async fn flush(
    db: &Db,
    signer: &Signer,
    unsealed: &Unsealed,
    but: &HashSet<OrgId>,
) -> Result<FlushStats> {
    let mut flushed = FlushStats::default();
    let wanted: Vec<_> = unsealed.organizations.iter().filter(|org| !but.contains(org)).collect();
    if wanted.is_empty() {
        return Ok(flushed);
    }
    let key = signer.key(db).await?;
    for org in wanted {
        match seal(db, &key, *org).await {
            Ok(sealed) => flushed.events += sealed,
            Err(error) => flushed.failed.push((*org, error)),
        }
    }
    Ok(flushed)
}

/// Those that have waited longest come first.
async fn waiting(db: &Db) -> Result<Vec<Waiting>> {
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
    #[expect(clippy::disallowed_methods, reason = "a log is sealed by nobody but the platform")]
    let scope = tx.enter_org(org).await?;
    let sealed = seal_batch(&scope, key).await?;
    drop(scope);
    #[expect(clippy::disallowed_methods, reason = "what an event says stays as it is")]
    tx.commit_unaudited().await?;
    Ok(sealed)
}

async fn seal_batch(scope: &OrgTx<Platform>, key: &KeyPair) -> Result<u64> {
    let mut head = lock_head(scope).await?;
    let sort = Sort { key: EventKey::OccurredAt, descending: false };
    let listing = PageRequest { limit: BATCH, sort, after: None };
    let unsealed = scope.find::<audit::Entity>().filter(audit::Column::Seq.is_null());
    let events = unsealed.page(listing).await?.data;
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
        return Err(Error::Broken("an event was not there to be sealed"));
    }
    head.sealed_at = scope.now();
    let signed = state(scope, &head, Kind::Head).sign(key)?;
    (head.signature, head.key_id) = (signed.signature, signed.key_id);
    let age = (scope.now() - head.checkpointed_at).to_std().unwrap_or_default();
    let is_first = head.checkpointed_seq == 0;
    if is_first || head.last_seq - head.checkpointed_seq >= CHECKPOINT_EVENTS || age >= CHECKPOINT_AGE {
        let signed = state(scope, &head, Kind::Periodic).sign(key)?;
        write(scope, &signed).await?;
        (head.checkpointed_seq, head.checkpointed_at) = (head.last_seq, scope.now());
    }
    keep(scope, head).await?;
    Ok(sealed)
}

/// What is stated of the end of the chain, at this instant.
pub(super) fn state(scope: &OrgTx<Platform>, head: &head::Model, kind: Kind) -> Statement {
    Statement {
        kind,
        organization_id: scope.org(),
        seq: head.last_seq,
        hash: head.last_hash.clone(),
        time: scope.now(),
    }
}

/// Keeps a checkpoint, and tells of it outside of the database too.
pub(super) async fn write(scope: &OrgTx<Platform>, signed: &SignedStatement) -> Result<()> {
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

/// The end of the chain, locked: whoever else would add to it waits.
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

/// Writes down what the end of the chain is now.
pub(super) async fn keep(scope: &OrgTx<Platform>, head: head::Model) -> Result<()> {
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
