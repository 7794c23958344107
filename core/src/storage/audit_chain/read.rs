//! Reads a chain from the database in batches, so that no transaction is open for long.

use sea_orm::{ColumnTrait, Condition, DerivePartialModel};

use super::{
    checkpoint, head,
    seal::Signer,
    statement::SignedStatement,
    verifier::{BreakReason, ChainBreak, ChainVerifier, VerificationReport},
};
use crate::{
    Error, Result,
    base::permissions::{Authorized, RequiredPermission},
    storage::{
        audit::{self, Column, EventRecord},
        db::{Db, OrgTx},
        signing_keys::PublicKey,
    },
};

/// Maximum number of events that one transaction reads.
const BATCH: i64 = 1_000;

/// How often the verification of a chain that is pruned meanwhile is repeated.
const MAX_TRIES: usize = 3;

#[derive(DerivePartialModel)]
#[sea_orm(entity = "audit::Entity")]
struct SeqOnly {
    seq: Option<i64>,
}

/// What the database states about a chain.
pub(super) struct LogClaims {
    /// Number of the last sealed event.
    pub(super) last: i64,
    pub(super) checkpoints: Vec<SignedStatement>,
    pub(super) head: Option<SignedStatement>,
    pub(super) pruned: i64,
}

/// Verifies the whole chain of the organization.
///
/// # Errors
/// Database errors. A broken chain is not an error.
pub async fn verify<P: RequiredPermission>(
    db: &Db,
    signer: &Signer,
    proof: &Authorized<P>,
) -> Result<VerificationReport> {
    let keys = signer.public_keys(db).await?;
    for _ in 1..MAX_TRIES {
        let (report, pruned) = verify_once(db, keys.clone(), proof).await?;
        // Events that were pruned during the verification are not missing.
        if report.broken.is_none() || claims(db, proof).await?.is_ok_and(|claims| claims.pruned == pruned) {
            return Ok(report);
        }
    }
    verify_once(db, keys, proof).await.map(|(report, _)| report)
}

async fn verify_once<P: RequiredPermission>(
    db: &Db,
    keys: Vec<PublicKey>,
    proof: &Authorized<P>,
) -> Result<(VerificationReport, i64)> {
    let broken_at_once = |broken, from, head| VerificationReport {
        broken: Some(broken),
        events: 0,
        erased: 0,
        from,
        head,
        checkpoint: None,
    };
    let claims = match claims(db, proof).await? {
        Ok(claims) => claims,
        Err(broken) => return Ok((broken_at_once(broken, 1, None), 0)),
    };
    let LogClaims { last, checkpoints, head, pruned } = claims;
    let mut verifier = match ChainVerifier::start(proof.org(), keys, pruned, checkpoints) {
        Ok(verifier) => verifier,
        Err(broken) => return Ok((broken_at_once(broken, pruned.saturating_add(1), None), pruned)),
    };
    if let Some(first) = find_stray(db, proof, verifier.next()).await? {
        let broken = ChainBreak { why: BreakReason::Added, first, last: first };
        return Ok((verifier.report(Some(broken), head), pruned));
    }
    let outcome = walk(db, proof, &mut verifier, last).await?;
    let outcome = outcome.and_then(|()| verifier.end(head.as_ref()));
    Ok((verifier.report(outcome.err(), head), pruned))
}

/// The first event with a number before `from`, the start of the chain.
async fn find_stray<P: RequiredPermission>(db: &Db, proof: &Authorized<P>, from: i64) -> Result<Option<i64>> {
    let tx = db.begin_read(proof).await?;
    let before = tx.find::<audit::Entity>().filter(Column::Seq.lt(from));
    Ok(before.select_as::<SeqOnly>(Column::Seq).await?.first().and_then(|row| row.seq))
}

/// Passes every event up to `last`, the number of an existing event, to `verifier`.
async fn walk<P: RequiredPermission>(
    db: &Db,
    proof: &Authorized<P>,
    verifier: &mut ChainVerifier,
    last: i64,
) -> Result<Result<(), ChainBreak>> {
    let mut numbers = BATCH;
    while verifier.next() <= last {
        let first = verifier.next();
        let end = last.min(first + numbers - 1);
        let tx = db.begin_read(proof).await?;
        let events = match events(&tx, first, end).await {
            Ok(events) => events,
            // A row that cannot be read was altered. Smaller and smaller batches show which one it is.
            Err(Error::Storage(_)) if first < end => {
                numbers = (end - first).div_euclid(2).max(1);
                continue;
            }
            Err(Error::Storage(error)) => {
                tracing::warn!(%error, seq = first, "cannot read an audit event");
                return Ok(Err(ChainBreak { why: BreakReason::Altered, first, last: first }));
            }
            Err(error) => return Err(error),
        };
        drop(tx);
        let mut events = events.into_iter().peekable();
        while let Some(record) = events.next() {
            let seq = verifier.next();
            let has_this_number = |record: &EventRecord| record.event.seq == Some(seq);
            if has_this_number(&record) && events.peek().is_some_and(has_this_number) {
                return Ok(Err(ChainBreak { why: BreakReason::Added, first: seq, last: seq }));
            }
            if let Err(broken) = verifier.event(&record.event, record.personal.as_ref()) {
                return Ok(Err(broken));
            }
        }
        if verifier.next() <= end {
            return Ok(Err(ChainBreak { why: BreakReason::Missing, first: verifier.next(), last: end }));
        }
    }
    Ok(Ok(()))
}

/// The events with these numbers. If several events have the same number, it returns at least two of them.
async fn events<P: RequiredPermission>(tx: &OrgTx<P>, first: i64, end: i64) -> Result<Vec<EventRecord>> {
    let batch = Condition::all().add(Column::Seq.gte(first)).add(Column::Seq.lte(end));
    let limit = u64::try_from(end - first + 2).unwrap_or_default();
    let events = tx.find::<audit::Entity>().filter(batch).first(Column::Seq, limit).await?;
    audit::with_personal(tx, events).await
}

/// Reads the statements in one transaction, because the chain may grow meanwhile.
pub(super) async fn claims<P: RequiredPermission>(
    db: &Db,
    proof: &Authorized<P>,
) -> Result<Result<LogClaims, ChainBreak>> {
    let tx = db.begin_read(proof).await?;
    let last = last(&tx).await?;
    let read = async {
        let checkpoints = checkpoints(&tx).await?;
        Ok((checkpoints, tx.find::<head::Entity>().all().await?.into_iter().next()))
    };
    match read.await {
        Ok((checkpoints, head)) => Ok(Ok(LogClaims {
            last,
            checkpoints: checkpoints.into_iter().map(SignedStatement::from).collect(),
            pruned: head.as_ref().map_or(0, |head| head.pruned_seq),
            head: head.as_ref().and_then(SignedStatement::of_head),
        })),
        // The statements cannot be read.
        Err(Error::Storage(_)) => {
            Ok(Err(ChainBreak { why: BreakReason::Forged, first: 1, last: last.max(1) }))
        }
        Err(error) => Err(error),
    }
}

async fn last<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<i64> {
    let sealed = tx.find::<audit::Entity>().filter(Column::Seq.is_not_null());
    Ok(sealed.last_as::<SeqOnly>(Column::Seq).await?.and_then(|row| row.seq).unwrap_or(0))
}

/// All checkpoints of the chain, the oldest first. There are few: one a day, or one for 10,000 events.
///
/// # Errors
/// Database errors.
pub async fn checkpoints<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Vec<checkpoint::Model>> {
    tx.find::<checkpoint::Entity>().first(checkpoint::Column::Seq, u64::from(u32::MAX)).await
}
