//! Deletes events that are older than the retention of an organization. Before that, a signed statement records the
//! last deleted event.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, DerivePartialModel};
use serde_json::json;

use super::{
    checkpoint,
    seal::{Signer, lock_head, update_head, write_checkpoint},
    statement::{ChainStatementKind, Statement},
};
use crate::{
    Result,
    base::{
        ids::{EventId, OrgId},
        permissions::{AuditOrigin, Platform},
    },
    storage::{
        audit::{self, Action, Column, EventDetails},
        db::{Db, OrgTx},
        signing_keys::KeyPair,
    },
};

/// Maximum number of events that one transaction deletes.
const BATCH: i64 = 10_000;

#[derive(DerivePartialModel)]
#[sea_orm(entity = "audit::Entity")]
struct EventIdOnly {
    id: EventId,
}

/// Deletes sealed events of the organization from before `cutoff`, at most one batch from the start of the chain, and
/// returns their number. It stops at the first newer event, even if later numbers are older.
///
/// # Errors
/// Database errors.
pub(crate) async fn prune(db: &Db, signer: &Signer, org: OrgId, cutoff: DateTime<Utc>) -> Result<u64> {
    let key = signer.key(db).await?;
    let tx = db.begin_global(AuditOrigin::WORKER).await?;
    #[expect(clippy::disallowed_methods, reason = "only the platform prunes logs")]
    let scope = tx.enter_org(org).await?;
    let pruned = prune_batch(&scope, &key, cutoff).await?;
    drop(scope);
    match pruned {
        0 => Ok(0),
        pruned => tx.commit().await.map(|()| pruned),
    }
}

async fn prune_batch(scope: &OrgTx<Platform>, key: &KeyPair, cutoff: DateTime<Utc>) -> Result<u64> {
    let mut head = lock_head(scope).await?;
    let end = head.last_seq.min(head.pruned_seq + BATCH);
    let batch = Condition::all().add(Column::Seq.gt(head.pruned_seq)).add(Column::Seq.lte(end));
    let kept = scope.find::<audit::Entity>().filter(batch.add(Column::OccurredAt.gte(cutoff)));
    let first_kept = kept.first(Column::Seq, 1).await?.into_iter().next().and_then(|event| event.seq);
    let last = first_kept.map_or(end, |seq| seq - 1);
    if last <= head.pruned_seq {
        return Ok(0);
    }
    let hash = scope.find::<audit::Entity>().filter(Column::Seq.eq(last)).one().await?.hash;
    let statement = Statement {
        kind: ChainStatementKind::Pruning,
        organization_id: scope.org(),
        seq: last,
        hash: hash.unwrap_or_default(),
        time: scope.now(),
    };
    write_checkpoint(scope, &statement.sign(key)?).await?;
    // Earlier checkpoints are no longer needed.
    scope.delete::<checkpoint::Entity>(checkpoint::Column::Seq.lt(last)).await?;
    head.pruned_seq = last;
    update_head(scope, head).await?;
    let is_pruned = || Condition::all().add(Column::Seq.lte(last));
    let ids = scope.find::<audit::Entity>().filter(is_pruned()).select_as::<EventIdOnly>(Column::Seq).await?;
    let ids = ids.into_iter().map(|EventIdOnly { id }| id);
    scope.delete_in_chunks::<audit::PersonalEntity>(audit::PersonalColumn::Id, ids).await?;
    let pruned = scope.delete::<audit::Entity>(is_pruned()).await?;
    let details = EventDetails::removed(json!({ "events": pruned, "through_seq": last }));
    scope.record(Action::AuditPruned, scope.org(), details).await?;
    Ok(pruned)
}
