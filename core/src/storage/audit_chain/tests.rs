use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    base::ids::{EventId, OrgId, SessionId},
    storage::{
        audit::{Event, EventRecord, PersonalData},
        signing_keys::KeyPair,
    },
};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x01a2_1326_0000_7000_8000_0000_0000_0000 + number)
}

fn noon() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn personal(number: u128, name: &str) -> PersonalData {
    PersonalData {
        id: EventId(id(number)),
        organization_id: OrgId(id(2)),
        salt: "00112233445566778899aabbccddeeff".to_owned(),
        ip: Some("203.0.113.7".to_owned()),
        user_agent: Some(format!("{name}/1 \"x\"")),
        label: Some("ada@example.com".to_owned()),
    }
}

/// An event that is not sealed.
fn record(number: u128, name: &str) -> EventRecord {
    let personal = personal(number, name);
    let event = Event {
        id: personal.id,
        organization_id: personal.organization_id,
        occurred_at: noon(),
        actor_kind: "user".to_owned(),
        actor_id: Some(id(3)),
        action: "project.updated".to_owned(),
        resource: "project".to_owned(),
        resource_id: Some(id(4).to_string()),
        outcome: "success".to_owned(),
        details: format!(r#"{{"after":{{"name":"{name}"}},"before":{{"name":"\"A\"\n"}}}}"#),
        session_id: Some(SessionId(id(5))),
        request_id: Some("request-1".to_owned()),
        trace_id: None,
        schema_version: 1,
        personal_hash: personal.hash().ok(),
        seq: None,
        prev_hash: None,
        hash: None,
    };
    EventRecord { event, personal: Some(personal) }
}

/// Computed with Python (`hashlib` and `json`). Old logs must stay verifiable, so these values never change.
#[test]
fn hashes_never_change() {
    let EventRecord { event, personal } = record(1, "Größe");
    let personal = personal.unwrap().hash().unwrap();
    assert_eq!(personal, "705a9fe5cc6b6c30f7c38f4420f8c6d40e79fe0a2031efce6b0013c2f1300d17");
    let sealed = hash(&event, 7, &"ab".repeat(32)).unwrap();
    assert_eq!(sealed, "8b1a0de1e83a062389e0310677188c1be9a9b965138100a5ba8c2c2a66b37cf9");
}

#[test]
fn signed_messages_never_change() {
    let statement = Statement {
        kind: ChainStatementKind::Pruning,
        organization_id: OrgId(id(2)),
        seq: 7,
        hash: "cd".repeat(32),
        time: noon() + TimeDelta::microseconds(6),
    };
    let message = format!(
        "insula audit statement 1\n{{\"hash\":\"{}\",\"kind\":\"pruning\",\"organization_id\":\
         \"01a21326-0000-7000-8000-000000000002\",\"seq\":7,\"time\":\"2026-11-24T12:00:00.000006Z\"}}",
        "cd".repeat(32)
    );
    assert_eq!(statement.message().unwrap(), message.as_bytes());
}

/// A log in memory, of which events up to number `pruned` were deleted.
#[derive(Clone, Debug)]
struct TestChain {
    /// Hash before the first event.
    before: String,
    keys: Vec<crate::storage::signing_keys::PublicKey>,
    pruned: i64,
    events: Vec<EventRecord>,
    checkpoints: Vec<SignedStatement>,
    head: Option<SignedStatement>,
}

impl TestChain {
    /// A sealed log. `marks`: the events with a checkpoint.
    fn new(pruned: i64, names: &[String], marks: &[bool]) -> Self {
        let key = KeyPair::generate().unwrap();
        let sign = |kind, seq, hash: &str| {
            let (organization_id, hash) = (OrgId(id(2)), hash.to_owned());
            Statement { kind, organization_id, seq, hash, time: noon() }.sign(&key).unwrap()
        };
        let start = if pruned == 0 { GENESIS.to_owned() } else { "ef".repeat(32) };
        let mut before = start.clone();
        let mut checkpoints = Vec::new();
        if pruned > 0 {
            checkpoints.push(sign(ChainStatementKind::Pruning, pruned, &before));
        }
        let (mut events, mut seq) = (Vec::new(), pruned);
        for (name, mark) in names.iter().zip(marks) {
            seq += 1;
            let EventRecord { event, personal } = record(1000 + seq.unsigned_abs() as u128, name);
            let hash = hash(&event, seq, &before).unwrap();
            let sealed = Event { seq: Some(seq), prev_hash: Some(before), hash: Some(hash.clone()), ..event };
            events.push(EventRecord { event: sealed, personal });
            before = hash;
            checkpoints.extend(mark.then(|| sign(ChainStatementKind::Periodic, seq, &before)));
        }
        let head = Some(sign(ChainStatementKind::Head, seq, &before));
        Self { before: start, keys: vec![key.public_key()], pruned, events, checkpoints, head }
    }

    /// The number of erased events, or where the chain is broken.
    fn verify(&self) -> Result<u64, ChainBreak> {
        let (keys, checkpoints) = (self.keys.clone(), self.checkpoints.clone());
        let mut verifier = ChainVerifier::start(OrgId(id(2)), keys, self.pruned, checkpoints)?;
        for EventRecord { event, personal } in &self.events {
            verifier.event(event, personal.as_ref())?;
        }
        verifier.end(self.head.as_ref())?;
        Ok(verifier.report(None, self.head.clone()).erased)
    }

    fn seq(&self, index: usize) -> i64 {
        self.pruned + i64::try_from(index).unwrap() + 1
    }

    /// Seals the events at these indexes again, with their current content.
    fn seal(&mut self, indexes: std::ops::Range<usize>) {
        for index in indexes {
            let before = match index {
                0 => Some(self.before.clone()),
                _ => self.events[index - 1].event.hash.clone(),
            };
            let seq = self.seq(index);
            let event = &mut self.events[index].event;
            event.hash = hash(event, seq, before.as_deref().unwrap()).ok();
            (event.seq, event.prev_hash) = (Some(seq), before);
        }
    }
}

/// Every possible alteration of an event.
const ALTERATIONS: [fn(&mut EventRecord); 24] = [
    |record| record.event.id = EventId(id(9)),
    |record| record.event.organization_id = OrgId(id(9)),
    |record| record.event.occurred_at += TimeDelta::microseconds(1),
    |record| record.event.actor_kind = "worker".to_owned(),
    |record| record.event.actor_id = None,
    |record| record.event.action = "project.deleted".to_owned(),
    |record| record.event.resource = "role".to_owned(),
    |record| record.event.resource_id = None,
    |record| record.event.outcome = "denied".to_owned(),
    |record| record.event.details.push(' '),
    |record| record.event.session_id = Some(SessionId(id(9))),
    |record| record.event.request_id = Some("null".to_owned()),
    |record| record.event.trace_id = Some(String::new()),
    |record| record.event.schema_version += 1,
    |record| record.event.personal_hash = None,
    |record| record.event.prev_hash = None,
    |record| record.event.prev_hash = Some(GENESIS.replace('0', "1")),
    |record| record.event.hash = None,
    |record| record.event.hash = Some(GENESIS.to_owned()),
    |record| record.event.seq = None,
    |record| record.personal.as_mut().unwrap().salt.push('0'),
    |record| record.personal.as_mut().unwrap().ip = None,
    |record| record.personal.as_mut().unwrap().user_agent = Some(String::new()),
    |record| record.personal.as_mut().unwrap().label = Some("eve@example.com".to_owned()),
];

prop_compose! {
    /// A log and the indexes of two of its events.
    fn chains()(
        pruned in 0..3_i64, length in 2..12_usize,
    )(
        names in prop::collection::vec("[a-zß]{0,3}", length),
        marks in prop::collection::vec(any::<bool>(), length),
        index in 0..length - 1, distance in 1..length, pruned in Just(pruned),
    ) -> (TestChain, usize, usize) {
        let later = index + 1 + (distance - 1) % (names.len() - 1 - index);
        (TestChain::new(pruned, &names, &marks), index, later)
    }
}

/// The log is broken, and `seq` is among the reported events.
fn expect_found_at(chain: &TestChain, seq: i64) -> Result<(), TestCaseError> {
    let found = chain.verify();
    prop_assert!(found.is_err_and(|broken| (broken.first..=broken.last).contains(&seq)), "{seq}: {found:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_unaltered_chain_is_valid((chain, index, later) in chains()) {
        prop_assert_eq!(chain.verify(), Ok(0));
        let mut erased = chain;
        erased.events[index].personal = None;
        erased.events[later].personal = None;
        prop_assert_eq!(erased.verify(), Ok(2));
    }

    #[test]
    fn every_alteration_is_found_at_its_event((chain, index, later) in chains()) {
        for (number, alter) in ALTERATIONS.iter().enumerate() {
            for index in [index, later] {
                let (mut altered, seq) = (chain.clone(), chain.seq(index));
                alter(&mut altered.events[index]);
                let broken = altered.verify().unwrap_err();
                prop_assert_eq!((broken.first, broken.last), (seq, seq), "{}", number);
            }
        }
    }

    #[test]
    fn removed_added_and_moved_events_are_found((chain, index, later) in chains()) {
        let (first, end) = (chain.seq(index), chain.events.len());
        let mut removed = chain.clone();
        removed.events.remove(index);
        expect_found_at(&removed, first)?;
        let mut swapped = chain.clone();
        swapped.events.swap(index, later);
        expect_found_at(&swapped, first)?;
        for (renumbered, other) in [(index, later), (later, index)] {
            let mut moved = chain.clone();
            moved.events[renumbered].event.seq = Some(chain.seq(other));
            expect_found_at(&moved, first)?;
        }
        let mut doubled = chain.clone();
        doubled.events.insert(later, chain.events[index].clone());
        expect_found_at(&doubled, first)?;
        let mut added = chain.clone();
        added.events.insert(index, record(1, "added"));
        added.seal(index..index + 1);
        for EventRecord { event, .. } in &mut added.events[index + 1..] {
            event.seq = event.seq.map(|seq| seq + 1);
        }
        expect_found_at(&added, first)?;
        let mut longer = chain.clone();
        longer.events.push(record(1, "added"));
        longer.seal(end..end + 1);
        expect_found_at(&longer, chain.seq(end))?;
    }

    #[test]
    fn a_truncated_or_rewritten_end_is_found((chain, index, later) in chains()) {
        let (first, end) = (chain.seq(index), chain.events.len());
        let mut cut = chain.clone();
        cut.events.truncate(index);
        expect_found_at(&cut, first)?;
        for until in [index + 1, later + 1, end] {
            let mut rewritten = chain.clone();
            rewritten.events[index].event.outcome = "failure".to_owned();
            rewritten.seal(index..until);
            expect_found_at(&rewritten, first)?;
            let last = rewritten.events[end - 1].event.hash.clone().unwrap();
            rewritten.head.as_mut().unwrap().statement.hash = last;
            expect_found_at(&rewritten, first)?;
        }
    }

    #[test]
    fn only_signatures_of_known_keys_are_valid((chain, ..) in chains()) {
        let mut unknown = chain.clone();
        unknown.keys = vec![KeyPair::generate().unwrap().public_key()];
        prop_assert_eq!(unknown.verify().unwrap_err().why, BreakReason::Forged);
        let mut headless = chain.clone();
        headless.head = None;
        prop_assert_eq!(headless.verify().unwrap_err().why, BreakReason::Forged);
        let mut promised = chain;
        promised.pruned = i64::MAX;
        prop_assert_eq!(promised.verify().unwrap_err().why, BreakReason::Missing);
    }
}
