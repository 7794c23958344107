//! Is a chain whole? Pure: it is told of one event after the other, wherever they come from.

use std::collections::VecDeque;

use super::{
    GENESIS, hash,
    statement::{Kind, SignedStatement},
};
use crate::{
    base::ids::OrgId,
    storage::{
        audit::{Event, EventRecord, Personal},
        signing_keys::PublicKey,
    },
};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakReason {
    /// An event is not what was sealed.
    Altered,
    /// What is personal of an event is not what was sealed; that it is gone is no fault.
    PersonalAltered,
    /// Events are not there.
    Missing,
    /// There are events that were never sealed by the program.
    Added,
    /// Events were written anew, with new hashes: they are not those of a signed statement.
    Rewritten,
    /// A statement is not signed by a known key, or was altered.
    Forged,
}

impl BreakReason {
    /// A sentence, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Altered => "This event was changed after it was sealed.",
            Self::PersonalAltered => {
                "The IP address, user agent or name of this event was changed after it was sealed."
            }
            Self::Missing => "Sealed events are missing.",
            Self::Added => "There are events that were never sealed by this program.",
            Self::Rewritten => "These events do not match the signed log. At least one of them was replaced.",
            Self::Forged => "The signature of the log up to this event is invalid.",
        }
    }
}

/// Where a chain is broken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainBreak {
    /// What is wrong.
    pub why: BreakReason,
    /// The first event that it may concern.
    pub first: i64,
    /// The last one.
    pub last: i64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationReport {
    /// Where the chain is broken first; `None`: it is whole.
    pub broken: Option<ChainBreak>,
    /// How many events were looked at.
    pub events: u64,
    /// Of how many of them what was personal has been erased.
    pub erased: u64,
    /// The number of the first event there should be.
    pub from: i64,
    /// The end of the chain; `None` also when its signature is not genuine.
    pub head: Option<SignedStatement>,
    /// The last checkpoint that was verified.
    pub checkpoint: Option<SignedStatement>,
}

/// Is the event what was sealed, by itself? Whether it is in the chain is not asked.
pub fn matches_own_hash(EventRecord { event, personal }: &EventRecord) -> bool {
    let before = event.prev_hash.as_deref().unwrap_or_default();
    let sealed = event.seq.and_then(|seq| hash(event, seq, before).ok());
    sealed.is_some() && sealed == event.hash && fits_personal(event, personal.as_ref())
}

/// What is personal of the event is what was sealed, or gone.
fn fits_personal(event: &Event, personal: Option<&Personal>) -> bool {
    match (&event.personal_hash, personal) {
        (_, None) => true,
        (Some(sealed), Some(personal)) => personal.hash().is_ok_and(|hash| hash == *sealed),
        (None, Some(_)) => false,
    }
}

/// Told of a chain from its beginning, or from where its earlier events were pruned, it says whether it is whole.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<PublicKey>,
    org: OrgId,
    from: i64,
    /// The number of the event that comes next.
    next: i64,
    /// The hash of the one before.
    before: String,
    /// Up to here a signature says that all is well.
    trusted: i64,
    checkpoints: VecDeque<SignedStatement>,
    checkpoint: Option<SignedStatement>,
    events: u64,
    erased: u64,
}

impl Verifier {
    /// `pruned`: events up to this number need not be there, if a signed statement says so. `checkpoints`: in any order.
    ///
    /// # Errors
    /// The statement that they may be gone is not there, or not genuine.
    pub fn start(
        org: OrgId,
        keys: Vec<PublicKey>,
        pruned: i64,
        mut checkpoints: Vec<SignedStatement>,
    ) -> Result<Self, ChainBreak> {
        checkpoints.sort_by_key(|signed| signed.statement.seq);
        let (earlier, later): (Vec<_>, Vec<_>) =
            checkpoints.into_iter().partition(|signed| signed.statement.seq <= pruned);
        let from = pruned.saturating_add(1);
        let mut verifier = Self {
            keys,
            org,
            from,
            next: from,
            before: GENESIS.to_owned(),
            trusted: pruned,
            checkpoints: later.into(),
            checkpoint: None,
            events: 0,
            erased: 0,
        };
        for signed in &earlier {
            verifier.genuine(signed, 1)?;
        }
        if pruned > 0 {
            let said = earlier
                .into_iter()
                .find(|signed| signed.statement.kind == Kind::Pruning && signed.statement.seq == pruned);
            let said = said.ok_or(ChainBreak { why: BreakReason::Missing, first: 1, last: pruned })?;
            verifier.before.clone_from(&said.statement.hash);
            verifier.checkpoint = Some(said);
        }
        Ok(verifier)
    }

    /// The number of the event that comes next.
    pub fn next(&self) -> i64 {
        self.next
    }

    fn genuine(&self, signed: &SignedStatement, first: i64) -> Result<(), ChainBreak> {
        let is_ours = signed.statement.organization_id == self.org && signed.is_genuine(&self.keys);
        match is_ours {
            true => Ok(()),
            false => {
                Err(ChainBreak { why: BreakReason::Forged, first, last: signed.statement.seq.max(first) })
            }
        }
    }

    /// The next event, with what is personal of it.
    ///
    /// # Errors
    /// It is not the one that was sealed there.
    pub fn event(&mut self, event: &Event, personal: Option<&Personal>) -> Result<(), ChainBreak> {
        let next = self.next;
        let broken = |why, last| Err(ChainBreak { why, first: next, last });
        match event.seq {
            Some(seq) if seq > next => return broken(BreakReason::Missing, seq - 1),
            Some(seq) if seq == next => {}
            // Another one bore this number.
            Some(seq) => return Err(ChainBreak { why: BreakReason::Added, first: seq, last: seq }),
            None => return broken(BreakReason::Added, next),
        }
        let sealed = hash(event, next, &self.before).ok();
        let fits = event.organization_id == self.org && event.hash.is_some() && event.hash == sealed;
        let follows = event.prev_hash.as_ref() == Some(&self.before);
        if !fits || !follows {
            // Where neither is so, the one that it followed may be what is not there any more: written anew with its hash.
            return match fits || follows || self.trusted + 1 == next {
                true => broken(BreakReason::Altered, next),
                false => Err(ChainBreak { why: BreakReason::Rewritten, first: self.trusted + 1, last: next }),
            };
        }
        if !fits_personal(event, personal) {
            return broken(BreakReason::PersonalAltered, next);
        }
        self.erased += u64::from(event.personal_hash.is_some() && personal.is_none());
        self.before = event.hash.clone().unwrap_or_default();
        self.events += 1;
        self.next += 1;
        while self.checkpoints.front().is_some_and(|signed| signed.statement.seq == next) {
            if let Some(signed) = self.checkpoints.pop_front() {
                self.agree(&signed)?;
                self.checkpoint = Some(signed);
            }
        }
        Ok(())
    }

    /// What is signed of the event that came last must be so.
    fn agree(&mut self, signed: &SignedStatement) -> Result<(), ChainBreak> {
        let first = self.trusted + 1;
        self.genuine(signed, first)?;
        if signed.statement.hash != self.before {
            return Err(ChainBreak { why: BreakReason::Rewritten, first, last: signed.statement.seq });
        }
        self.trusted = signed.statement.seq;
        Ok(())
    }

    /// There are no more events.
    ///
    /// # Errors
    /// There should be, or `head` is not the end of this chain.
    pub fn end(&mut self, head: Option<&SignedStatement>) -> Result<(), ChainBreak> {
        let last = self.next - 1;
        let signed_end = self.checkpoints.back().map(|signed| signed.statement.seq);
        let Some(head) = head else {
            return match signed_end.filter(|end| *end > last) {
                Some(end) => Err(ChainBreak { why: BreakReason::Missing, first: self.next, last: end }),
                None if last >= self.from || self.from > 1 => Err(ChainBreak {
                    why: BreakReason::Forged,
                    first: self.trusted + 1,
                    last: last.max(self.trusted + 1),
                }),
                None => Ok(()),
            };
        };
        let end = signed_end.unwrap_or_default().max(head.statement.seq);
        if end > last {
            // A statement from the future that nobody signed is no reason to miss anything.
            let first = self.trusted + 1;
            let latest = self.checkpoints.back().filter(|signed| signed.statement.seq == end).unwrap_or(head);
            self.genuine(latest, first)?;
            return Err(ChainBreak { why: BreakReason::Missing, first: self.next, last: end });
        }
        if head.statement.seq < last {
            return Err(ChainBreak { why: BreakReason::Added, first: head.statement.seq + 1, last });
        }
        if head.statement.kind != Kind::Head {
            return Err(ChainBreak { why: BreakReason::Forged, first: self.trusted + 1, last });
        }
        // Nothing new is stated where all has been pruned.
        if last < self.from { self.genuine(head, last) } else { self.agree(head) }
    }

    /// What came of it. `head`: the end of the chain.
    pub fn report(self, broken: Option<ChainBreak>, head: Option<SignedStatement>) -> VerificationReport {
        let head = head.filter(|head| self.genuine(head, 1).is_ok());
        let Self { events, erased, from, checkpoint, .. } = self;
        VerificationReport { broken, events, erased, from, head, checkpoint }
    }
}
