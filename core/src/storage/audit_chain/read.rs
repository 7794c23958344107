//! Reading a chain from the database, in batches: none holds a transaction for long.

use sea_orm::{ColumnTrait, Condition, DerivePartialModel};

use super::{
    checkpoint, head,
    seal::Signer,
    statement::SignedStatement,
    verifier::{BreakReason, ChainBreak, VerificationReport, Verifier},
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

/// Numbers of events that one transaction looks for.
const BATCH: i64 = 1_000;

/// How often a chain is looked at again that was pruned meanwhile.
const TRIES: usize = 3;

#[derive(DerivePartialModel)]
#[sea_orm(entity = "audit::Entity")]
struct Place {
    seq: Option<i64>,
}

/// What a chain claims to be.
pub(super) struct LogClaims {
    /// The number of the last event that bears one.
    pub(super) last: i64,
    pub(super) checkpoints: Vec<SignedStatement>,
    pub(super) head: Option<SignedStatement>,
    pub(super) pruned: i64,
}

/// Is the chain of the organization whole? Reads all of it.
///
/// # Errors
/// Whatever the database refuses; that the chain is broken is no error.
pub async fn verify<P: RequiredPermission>(
    db: &Db,
    signer: &Signer,
    proof: &Authorized<P>,
) -> Result<VerificationReport> {
    let keys = signer.public_keys(db).await?;
    for _ in 1..TRIES {
        let (report, pruned) = verify_once(db, keys.clone(), proof).await?;
        // What was pruned while it was read is not missing.
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
    let mut verifier = match Verifier::start(proof.org(), keys, pruned, checkpoints) {
        Ok(verifier) => verifier,
        Err(broken) => return Ok((broken_at_once(broken, pruned.saturating_add(1), None), pruned)),
    };
    if let Some(first) = stray(db, proof, verifier.next()).await? {
        let broken = ChainBreak { why: BreakReason::Added, first, last: first };
        return Ok((verifier.report(Some(broken), head), pruned));
    }
    let outcome = walk(db, proof, &mut verifier, last).await?;
    let outcome = outcome.and_then(|()| verifier.end(head.as_ref()));
    Ok((verifier.report(outcome.err(), head), pruned))
}

/// The first event with a number from before `from`, where the chain begins.
async fn stray<P: RequiredPermission>(db: &Db, proof: &Authorized<P>, from: i64) -> Result<Option<i64>> {
    let tx = db.begin_read(proof).await?;
    let before = tx.find::<audit::Entity>().filter(Column::Seq.lt(from));
    Ok(before.select_as::<Place>(Column::Seq).await?.first().and_then(|place| place.seq))
}

/// Tells `verifier` of every event up to `last`, the number of one that is there.
async fn walk<P: RequiredPermission>(
    db: &Db,
    proof: &Authorized<P>,
    verifier: &mut Verifier,
    last: i64,
) -> Result<Result<(), ChainBreak>> {
    let mut numbers = BATCH;
    while verifier.next() <= last {
        let first = verifier.next();
        let end = last.min(first + numbers - 1);
        let tx = db.begin_read(proof).await?;
        let events = match events(&tx, first, end).await {
            Ok(events) => events,
            // A row that cannot even be read was altered. Which one it is shows in ever smaller batches.
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
        while let Some(told) = events.next() {
            let seq = verifier.next();
            let bears_it = |told: &EventRecord| told.event.seq == Some(seq);
            if bears_it(&told) && events.peek().is_some_and(bears_it) {
                return Ok(Err(ChainBreak { why: BreakReason::Added, first: seq, last: seq }));
            }
            if let Err(broken) = verifier.event(&told.event, told.personal.as_ref()) {
                return Ok(Err(broken));
            }
        }
        if verifier.next() <= end {
            return Ok(Err(ChainBreak { why: BreakReason::Missing, first: verifier.next(), last: end }));
        }
    }
    Ok(Ok(()))
}

/// The events of these numbers; of a number that several bear at least two.
async fn events<P: RequiredPermission>(tx: &OrgTx<P>, first: i64, end: i64) -> Result<Vec<EventRecord>> {
    let batch = Condition::all().add(Column::Seq.gte(first)).add(Column::Seq.lte(end));
    let most = u64::try_from(end - first + 2).unwrap_or_default();
    let events = tx.find::<audit::Entity>().filter(batch).first(Column::Seq, most).await?;
    audit::with_personal(tx, events).await
}

/// In one transaction, which sees one instant: the chain grows meanwhile.
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
        // They cannot even be read.
        Err(Error::Storage(_)) => {
            Ok(Err(ChainBreak { why: BreakReason::Forged, first: 1, last: last.max(1) }))
        }
        Err(error) => Err(error),
    }
}

async fn last<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<i64> {
    let sealed = tx.find::<audit::Entity>().filter(Column::Seq.is_not_null());
    Ok(sealed.last_as::<Place>(Column::Seq).await?.and_then(|place| place.seq).unwrap_or(0))
}

/// Every checkpoint of the chain, the first one first. They are few: one a day, or one of 10,000 events.
///
/// # Errors
/// Whatever the database refuses.
pub async fn checkpoints<P: RequiredPermission>(tx: &OrgTx<P>) -> Result<Vec<checkpoint::Model>> {
    tx.find::<checkpoint::Entity>().first(checkpoint::Column::Seq, u64::from(u32::MAX)).await
}
