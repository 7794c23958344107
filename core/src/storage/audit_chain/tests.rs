use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    base::ids::{EventId, OrgId, SessionId},
    storage::{
        audit::{Event, EventRecord, Personal},
        signing_keys::KeyPair,
    },
};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x01a2_1326_0000_7000_8000_0000_0000_0000 + number)
}

fn noon() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn personal(number: u128, name: &str) -> Personal {
    Personal {
        id: EventId(id(number)),
        organization_id: OrgId(id(2)),
        salt: "00112233445566778899aabbccddeeff".to_owned(),
        ip: Some("203.0.113.7".to_owned()),
        user_agent: Some(format!("{name}/1 \"x\"")),
        label: Some("ada@example.com".to_owned()),
    }
}

/// An event that is not sealed yet.
fn told(number: u128, name: &str) -> EventRecord {
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

/// Computed elsewhere (Python's `hashlib` and `json`). What was sealed once is verified for ever: these never change.
#[test]
fn a_seal_is_the_same_on_every_database_and_in_every_version() {
    let EventRecord { event, personal } = told(1, "Größe");
    let personal = personal.unwrap().hash().unwrap();
    assert_eq!(personal, "705a9fe5cc6b6c30f7c38f4420f8c6d40e79fe0a2031efce6b0013c2f1300d17");
    let sealed = hash(&event, 7, &"ab".repeat(32)).unwrap();
    assert_eq!(sealed, "8b1a0de1e83a062389e0310677188c1be9a9b965138100a5ba8c2c2a66b37cf9");
}

#[test]
fn what_is_signed_is_the_same_in_every_version() {
    let statement = Statement {
        kind: Kind::Pruning,
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

/// A log in memory, of which events up to number `pruned` are gone.
#[derive(Clone, Debug)]
struct Chain {
    /// The hash before its first event.
    before: String,
    keys: Vec<crate::storage::signing_keys::PublicKey>,
    pruned: i64,
    events: Vec<EventRecord>,
    checkpoints: Vec<SignedStatement>,
    head: Option<SignedStatement>,
}

impl Chain {
    /// Sealed as the program does; `marks`: of which events there is a checkpoint.
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
            checkpoints.push(sign(Kind::Pruning, pruned, &before));
        }
        let (mut events, mut seq) = (Vec::new(), pruned);
        for (name, mark) in names.iter().zip(marks) {
            seq += 1;
            let EventRecord { event, personal } = told(1000 + seq.unsigned_abs() as u128, name);
            let hash = hash(&event, seq, &before).unwrap();
            let sealed = Event { seq: Some(seq), prev_hash: Some(before), hash: Some(hash.clone()), ..event };
            events.push(EventRecord { event: sealed, personal });
            before = hash;
            checkpoints.extend(mark.then(|| sign(Kind::Periodic, seq, &before)));
        }
        let head = Some(sign(Kind::Head, seq, &before));
        Self { before: start, keys: vec![key.public_key()], pruned, events, checkpoints, head }
    }

    /// How many events were erased; or where it is broken.
    fn verify(&self) -> Result<u64, ChainBreak> {
        let (keys, checkpoints) = (self.keys.clone(), self.checkpoints.clone());
        let mut verifier = Verifier::start(OrgId(id(2)), keys, self.pruned, checkpoints)?;
        for EventRecord { event, personal } in &self.events {
            verifier.event(event, personal.as_ref())?;
        }
        verifier.end(self.head.as_ref())?;
        Ok(verifier.report(None, self.head.clone()).erased)
    }

    fn seq(&self, place: usize) -> i64 {
        self.pruned + i64::try_from(place).unwrap() + 1
    }

    /// Seals the events at these places anew, whatever they say now.
    fn seal(&mut self, places: std::ops::Range<usize>) {
        for place in places {
            let before = match place {
                0 => Some(self.before.clone()),
                _ => self.events[place - 1].event.hash.clone(),
            };
            let seq = self.seq(place);
            let event = &mut self.events[place].event;
            event.hash = hash(event, seq, before.as_deref().unwrap()).ok();
            (event.seq, event.prev_hash) = (Some(seq), before);
        }
    }
}

/// Every single thing that can be altered about an event.
const ALTERATIONS: [fn(&mut EventRecord); 24] = [
    |told| told.event.id = EventId(id(9)),
    |told| told.event.organization_id = OrgId(id(9)),
    |told| told.event.occurred_at += TimeDelta::microseconds(1),
    |told| told.event.actor_kind = "worker".to_owned(),
    |told| told.event.actor_id = None,
    |told| told.event.action = "project.deleted".to_owned(),
    |told| told.event.resource = "role".to_owned(),
    |told| told.event.resource_id = None,
    |told| told.event.outcome = "denied".to_owned(),
    |told| told.event.details.push(' '),
    |told| told.event.session_id = Some(SessionId(id(9))),
    |told| told.event.request_id = Some("null".to_owned()),
    |told| told.event.trace_id = Some(String::new()),
    |told| told.event.schema_version += 1,
    |told| told.event.personal_hash = None,
    |told| told.event.prev_hash = None,
    |told| told.event.prev_hash = Some(GENESIS.replace('0', "1")),
    |told| told.event.hash = None,
    |told| told.event.hash = Some(GENESIS.to_owned()),
    |told| told.event.seq = None,
    |told| told.personal.as_mut().unwrap().salt.push('0'),
    |told| told.personal.as_mut().unwrap().ip = None,
    |told| told.personal.as_mut().unwrap().user_agent = Some(String::new()),
    |told| told.personal.as_mut().unwrap().label = Some("eve@example.com".to_owned()),
];

prop_compose! {
    /// A log, the place of an event in it, and that of another one.
    fn chains()(
        pruned in 0..3_i64, length in 2..12_usize,
    )(
        names in prop::collection::vec("[a-zß]{0,3}", length),
        marks in prop::collection::vec(any::<bool>(), length),
        place in 0..length - 1, further in 1..length, pruned in Just(pruned),
    ) -> (Chain, usize, usize) {
        let later = place + 1 + (further - 1) % (names.len() - 1 - place);
        (Chain::new(pruned, &names, &marks), place, later)
    }
}

/// The log is broken, and `seq` is among the events that are named.
fn is_found(chain: &Chain, seq: i64) -> Result<(), TestCaseError> {
    let found = chain.verify();
    prop_assert!(found.is_err_and(|broken| (broken.first..=broken.last).contains(&seq)), "{seq}: {found:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_chain_as_it_was_sealed_is_whole((chain, place, later) in chains()) {
        prop_assert_eq!(chain.verify(), Ok(0));
        let mut erased = chain;
        erased.events[place].personal = None;
        erased.events[later].personal = None;
        prop_assert_eq!(erased.verify(), Ok(2));
    }

    #[test]
    fn whatever_is_altered_is_found_where_it_is((chain, place, later) in chains()) {
        for (number, alter) in ALTERATIONS.iter().enumerate() {
            for place in [place, later] {
                let (mut altered, seq) = (chain.clone(), chain.seq(place));
                alter(&mut altered.events[place]);
                let broken = altered.verify().unwrap_err();
                prop_assert_eq!((broken.first, broken.last), (seq, seq), "{}", number);
            }
        }
    }

    #[test]
    fn what_is_removed_added_or_moved_is_found((chain, place, later) in chains()) {
        let (first, end) = (chain.seq(place), chain.events.len());
        let mut removed = chain.clone();
        removed.events.remove(place);
        is_found(&removed, first)?;
        let mut swapped = chain.clone();
        swapped.events.swap(place, later);
        is_found(&swapped, first)?;
        for (renumbered, other) in [(place, later), (later, place)] {
            let mut moved = chain.clone();
            moved.events[renumbered].event.seq = Some(chain.seq(other));
            is_found(&moved, first)?;
        }
        let mut doubled = chain.clone();
        doubled.events.insert(later, chain.events[place].clone());
        is_found(&doubled, first)?;
        let mut added = chain.clone();
        added.events.insert(place, told(1, "added"));
        added.seal(place..place + 1);
        for EventRecord { event, .. } in &mut added.events[place + 1..] {
            event.seq = event.seq.map(|seq| seq + 1);
        }
        is_found(&added, first)?;
        let mut longer = chain.clone();
        longer.events.push(told(1, "added"));
        longer.seal(end..end + 1);
        is_found(&longer, chain.seq(end))?;
    }

    #[test]
    fn an_end_that_is_cut_off_or_written_anew_is_found((chain, place, later) in chains()) {
        let (first, end) = (chain.seq(place), chain.events.len());
        let mut cut = chain.clone();
        cut.events.truncate(place);
        is_found(&cut, first)?;
        for until in [place + 1, later + 1, end] {
            let mut rewritten = chain.clone();
            rewritten.events[place].event.outcome = "failure".to_owned();
            rewritten.seal(place..until);
            is_found(&rewritten, first)?;
            let last = rewritten.events[end - 1].event.hash.clone().unwrap();
            rewritten.head.as_mut().unwrap().statement.hash = last;
            is_found(&rewritten, first)?;
        }
    }

    #[test]
    fn only_a_known_key_signs((chain, ..) in chains()) {
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
