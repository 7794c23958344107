//! Sealing: what was written since is added to the chain of its organization, in the order it was written.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, FromQueryResult,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    GENESIS, checkpoint,
    hash::{hash, instant},
    head,
    statement::{Kind, Signed, Statement},
};
use crate::{
    Error, Result,
    access::{Origin, Platform},
    audit::{self, EventKey},
    db::{Db, OrgTx},
    ids::{CheckpointId, OrgId},
    page::{Listing, Sort},
    secret::MasterKey,
    signing_keys::{self, KeyPair},
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
#[derive(Clone, Copy, Debug, Default)]
pub struct Flushed {
    /// How many events were sealed.
    pub events: u64,
    /// How long the event had waited that had waited longest.
    pub lag: Duration,
}

#[derive(FromQueryResult)]
struct Waiting {
    organization_id: OrgId,
    since: DateTime<Utc>,
}

/// Seals one batch of each organization that has events to seal. To be repeated until there are none. Safe for several
/// processes at once: a chain has one end, and whoever holds it adds to it.
///
/// # Errors
/// Whatever the database refuses, once every other organization had its turn.
pub async fn flush(db: &Db, signer: &Signer) -> Result<Flushed> {
    let waiting = waiting(db).await?;
    let Some(oldest) = waiting.iter().map(|waiting| waiting.since).min() else {
        return Ok(Flushed::default());
    };
    let lag = (db.now() - oldest).to_std().unwrap_or_default();
    let key = signer.key(db).await?;
    let (mut events, mut failure) = (0, None);
    for Waiting { organization_id, .. } in waiting {
        match seal(db, &key, organization_id).await {
            Ok(sealed) => events += sealed,
            Err(error) => {
                tracing::error!(%error, organization = %organization_id, "could not seal an audit log");
                failure = Some(error);
            }
        }
    }
    failure.map_or(Ok(Flushed { events, lag }), Err)
}

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
        .limit(ROUND);
    tx.rows(&query).await
}

async fn seal(db: &Db, key: &KeyPair, org: OrgId) -> Result<u64> {
    let tx = db.begin_global(Origin::WORKER).await?;
    #[expect(clippy::disallowed_methods, reason = "a log is sealed by nobody but the platform")]
    let scope = tx.enter(org).await?;
    let sealed = seal_batch(&scope, key).await?;
    drop(scope);
    #[expect(clippy::disallowed_methods, reason = "what an event says stays as it is")]
    tx.commit_unaudited().await?;
    Ok(sealed)
}

async fn seal_batch(scope: &OrgTx<Platform>, key: &KeyPair) -> Result<u64> {
    let mut head = lock_head(scope).await?;
    let sort = Sort { key: EventKey::OccurredAt, descending: false };
    let listing = Listing { limit: BATCH, sort, after: None };
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
    let sealed = scope.set_each::<audit::Entity>(&columns, rows).await?;
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
pub(super) async fn write(scope: &OrgTx<Platform>, signed: &Signed) -> Result<()> {
    let Signed { statement, key_id, signature } = signed;
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
        "an audit log was signed"
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
            scope.insert_absent(row, &[head::Column::Id]).await?;
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
