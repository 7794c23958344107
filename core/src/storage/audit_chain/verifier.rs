//! Verifies a chain. This module is pure: the caller passes one event after the other.

use std::collections::VecDeque;

use super::{
    GENESIS, hash,
    statement::{ChainStatementKind, SignedStatement},
};
use crate::{
    base::ids::OrgId,
    storage::{
        audit::{Event, EventRecord, PersonalData},
        signing_keys::PublicKey,
    },
};

/// Why a chain is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakReason {
    /// An event differs from what was sealed.
    Altered,
    /// The personal data of an event differs from what was sealed. Erased personal data is not an error.
    PersonalAltered,
    /// Events are missing.
    Missing,
    /// There are events that the program never sealed.
    Added,
    /// Events were replaced and hashed again, so they do not match a signed statement.
    Rewritten,
    /// A statement was altered, or is not signed by a known key.
    Forged,
}

impl BreakReason {
    /// Explanation for people.
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

/// The first break of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainBreak {
    /// Why the chain is broken.
    pub why: BreakReason,
    /// Number of the first affected event.
    pub first: i64,
    /// Number of the last affected event.
    pub last: i64,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationReport {
    /// The first break; `None` if the chain is valid.
    pub broken: Option<ChainBreak>,
    /// Number of verified events.
    pub events: u64,
    /// Number of verified events whose personal data was erased.
    pub erased: u64,
    /// Number of the first event that must exist.
    pub from: i64,
    /// The end of the chain; `None` also if its signature is invalid.
    pub head: Option<SignedStatement>,
    /// The last verified checkpoint.
    pub checkpoint: Option<SignedStatement>,
}

/// Does the event match its own hash? This does not check that it is in the chain.
pub fn matches_own_hash(EventRecord { event, personal }: &EventRecord) -> bool {
    let before = event.prev_hash.as_deref().unwrap_or_default();
    let sealed = event.seq.and_then(|seq| hash(event, seq, before).ok());
    sealed.is_some() && sealed == event.hash && matches_personal(event, personal.as_ref())
}

/// Does the personal data match what was sealed, or was it erased?
fn matches_personal(event: &Event, personal: Option<&PersonalData>) -> bool {
    match (&event.personal_hash, personal) {
        (_, None) => true,
        (Some(sealed), Some(personal)) => personal.hash().is_ok_and(|hash| hash == *sealed),
        (None, Some(_)) => false,
    }
}

/// Verifies a chain from its start, or from the first event that was not pruned.
#[derive(Debug)]
pub struct ChainVerifier {
    keys: Vec<PublicKey>,
    org: OrgId,
    from: i64,
    /// Number of the next event.
    next: i64,
    /// Hash of the previous event.
    before: String,
    /// Number of the last event that a signature confirms.
    trusted: i64,
    checkpoints: VecDeque<SignedStatement>,
    checkpoint: Option<SignedStatement>,
    events: u64,
    erased: u64,
}

impl ChainVerifier {
    /// Starts a verification. Events up to number `pruned` may be missing if a signed statement says so. `checkpoints`
    /// can have any order.
    ///
    /// # Errors
    /// If the statement about the pruned events is missing or invalid.
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
            verifier.check_signature(signed, 1)?;
        }
        if pruned > 0 {
            let pruning = earlier.into_iter().find(|signed| {
                signed.statement.kind == ChainStatementKind::Pruning && signed.statement.seq == pruned
            });
            let pruning = pruning.ok_or(ChainBreak { why: BreakReason::Missing, first: 1, last: pruned })?;
            verifier.before.clone_from(&pruning.statement.hash);
            verifier.checkpoint = Some(pruning);
        }
        Ok(verifier)
    }

    /// Number of the next event.
    pub fn next(&self) -> i64 {
        self.next
    }

    fn check_signature(&self, signed: &SignedStatement, first: i64) -> Result<(), ChainBreak> {
        let is_valid = signed.statement.organization_id == self.org && signed.is_genuine(&self.keys);
        match is_valid {
            true => Ok(()),
            false => {
                Err(ChainBreak { why: BreakReason::Forged, first, last: signed.statement.seq.max(first) })
            }
        }
    }

    /// Verifies the next event and its personal data.
    ///
    /// # Errors
    /// If it is not the event that was sealed with this number.
    pub fn event(&mut self, event: &Event, personal: Option<&PersonalData>) -> Result<(), ChainBreak> {
        let next = self.next;
        let broken = |why, last| Err(ChainBreak { why, first: next, last });
        match event.seq {
            Some(seq) if seq > next => return broken(BreakReason::Missing, seq - 1),
            Some(seq) if seq == next => {}
            // Another event had this number.
            Some(seq) => return Err(ChainBreak { why: BreakReason::Added, first: seq, last: seq }),
            None => return broken(BreakReason::Added, next),
        }
        let sealed = hash(event, next, &self.before).ok();
        let matches = event.organization_id == self.org && event.hash.is_some() && event.hash == sealed;
        let follows = event.prev_hash.as_ref() == Some(&self.before);
        if !matches || !follows {
            // If neither matches, the previous event may be missing, and this one may have been replaced and hashed
            // again.
            return match matches || follows || self.trusted + 1 == next {
                true => broken(BreakReason::Altered, next),
                false => Err(ChainBreak { why: BreakReason::Rewritten, first: self.trusted + 1, last: next }),
            };
        }
        if !matches_personal(event, personal) {
            return broken(BreakReason::PersonalAltered, next);
        }
        self.erased += u64::from(event.personal_hash.is_some() && personal.is_none());
        self.before = event.hash.clone().unwrap_or_default();
        self.events += 1;
        self.next += 1;
        while self.checkpoints.front().is_some_and(|signed| signed.statement.seq == next) {
            if let Some(signed) = self.checkpoints.pop_front() {
                self.check_statement(&signed)?;
                self.checkpoint = Some(signed);
            }
        }
        Ok(())
    }

    /// Checks that a signed statement matches the last event.
    fn check_statement(&mut self, signed: &SignedStatement) -> Result<(), ChainBreak> {
        let first = self.trusted + 1;
        self.check_signature(signed, first)?;
        if signed.statement.hash != self.before {
            return Err(ChainBreak { why: BreakReason::Rewritten, first, last: signed.statement.seq });
        }
        self.trusted = signed.statement.seq;
        Ok(())
    }

    /// Ends the verification.
    ///
    /// # Errors
    /// If events are missing, or `head` is not the end of this chain.
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
            // An unsigned statement about a later event does not mean that events are missing.
            let first = self.trusted + 1;
            let latest = self.checkpoints.back().filter(|signed| signed.statement.seq == end).unwrap_or(head);
            self.check_signature(latest, first)?;
            return Err(ChainBreak { why: BreakReason::Missing, first: self.next, last: end });
        }
        if head.statement.seq < last {
            return Err(ChainBreak { why: BreakReason::Added, first: head.statement.seq + 1, last });
        }
        if head.statement.kind != ChainStatementKind::Head {
            return Err(ChainBreak { why: BreakReason::Forged, first: self.trusted + 1, last });
        }
        // A statement about a fully pruned chain has nothing new to compare.
        if last < self.from { self.check_signature(head, last) } else { self.check_statement(head) }
    }

    /// The report. `head`: the end of the chain.
    pub fn report(self, broken: Option<ChainBreak>, head: Option<SignedStatement>) -> VerificationReport {
        let head = head.filter(|head| self.check_signature(head, 1).is_ok());
        let Self { events, erased, from, checkpoint, .. } = self;
        VerificationReport { broken, events, erased, from, head, checkpoint }
    }
}
