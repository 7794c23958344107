//! Events that are removed, moved, invented or rewritten, and forged statements about them.

use std::ops::RangeInclusive;

use insula_tests::TestRng;

use super::{
    forge::Forge,
    log::{Log, tally},
    seal::hash,
};

/// What to do about event `at`, and a later one; gives where the log is not what it was any more, first. An end that was cut
/// off is between two events.
type Forgery = fn(&Forge<'_>, at: i64, later: i64) -> (Vec<String>, RangeInclusive<i64>);

const FORGERIES: [(&str, Forgery); 25] = [
    ("an event removed", |forge, at, _| (vec![forge.delete(&format!("seq = {at}"))], at..=at)),
    ("two events with each other's numbers", |forge, at, later| {
        let swap = forge.update(&format!("seq = {at} + {later} - seq"), &format!("seq IN ({at}, {later})"));
        (vec![swap], at..=at)
    }),
    ("two events with each other's seals", |forge, at, later| {
        let sealed_like = |event: i64, other: i64| {
            let (before, hash) = (forge.hash(other - 1), forge.hash(other));
            let id = forge.id(forge.event(event)["id"].as_str().unwrap());
            let seal = format!("seq = {other}, prev_hash = '{before}', hash = '{hash}'");
            forge.update(&seal, &format!("id = {id}"))
        };
        (vec![sealed_like(at, later), sealed_like(later, at)], at..=at)
    }),
    ("an event with the number of another", |forge, at, later| {
        (vec![forge.insert(at, at, forge.hash(at - 1), forge.hash(later))], at..=at)
    }),
    // The program reads a thousand at once.
    ("an event doubled where a batch ends", |forge, at, _| {
        (vec![forge.insert(at, 1_000, forge.hash(999), forge.hash(1_000))], 1_000..=1_000)
    }),
    ("an event sealed like another", |forge, at, _| (vec![forge.insert_sealed(at)], at..=at)),
    ("an event between others", |forge, at, _| {
        let moved = forge.update("seq = seq + 1", &format!("seq >= {at}"));
        (vec![moved, forge.insert_sealed(at)], at..=at)
    }),
    ("an event at the end", |forge, _, _| {
        let place = forge.last + 1;
        (vec![forge.insert_sealed(place)], place..=place)
    }),
    ("an event before the beginning", |forge, at, _| {
        (vec![forge.insert(at, 0, forge.hash(0), forge.hash(at))], 0..=0)
    }),
    ("the end cut off", |forge, at, _| (vec![forge.delete(&format!("seq > {at}"))], at + 1..=at + 1)),
    ("the end cut off and the head set back", |forge, at, _| {
        let head = format!("last_seq = {at}, last_hash = '{}'", forge.hash(at));
        (vec![forge.delete(&format!("seq > {at}")), forge.head(&head)], at..=at + 1)
    }),
    ("the end cut off and the head of that time put back", |forge, _, _| {
        let (head, last) = forge.old_head();
        (vec![forge.delete(&format!("seq > {last}")), head], last + 1..=last + 1)
    }),
    ("the end and the head removed", |forge, at, _| {
        (vec![forge.delete(&format!("seq > {at}")), forge.delete_first_event()], at..=at + 1)
    }),
    ("an event written anew", |forge, at, _| (forge.rewrite(at, at).0, at..=at)),
    ("some events written anew", |forge, at, later| (forge.rewrite(at, later).0, at..=at)),
    ("the end written anew", |forge, at, _| (forge.rewrite(at, forge.last).0, at..=at)),
    ("the end and the head written anew", |forge, at, _| {
        let (mut sql, end) = forge.rewrite(at, forge.last);
        sql.push(forge.head(&format!("last_hash = '{end}'")));
        (sql, at..=at)
    }),
    ("the end written anew and signed with another key", |forge, at, _| (forge.sign_anew(at), at..=at)),
    ("the same, and the key slipped in", |forge, at, _| {
        (forge.sign_anew(at).into_iter().chain([forge.insert_forged()]).collect(), at..=at)
    }),
    // Nothing is signed any more then, from the beginning on.
    ("the same, and the key in the place of the other", |forge, at, _| {
        (forge.sign_anew(at).into_iter().chain([forge.put_over()]).collect(), 1..=1)
    }),
    ("a checkpoint altered", |forge, at, _| {
        let (hash, middle) = (forge.hash(at), forge.middle);
        (vec![format!("UPDATE audit_checkpoints SET hash = '{hash}' WHERE seq = {middle}")], middle..=middle)
    }),
    ("a checkpoint made up", |forge, at, _| (vec![forge.checkpoint(at, forge.hash(at))], at..=at)),
    ("a checkpoint from the future", |forge, at, _| {
        let future = forge.last + at;
        (vec![forge.checkpoint(future, forge.hash(at))], future..=future)
    }),
    ("a checkpoint from before the beginning", |forge, _, _| {
        (vec![forge.checkpoint(0, forge.hash(0))], 1..=1)
    }),
    ("the beginning removed and said to be pruned", |forge, at, _| {
        (vec![forge.delete(&format!("seq <= {at}")), forge.head(&format!("pruned_seq = {at}"))], 1..=1)
    }),
];

#[tokio::test]
async fn a_forgery_is_found_where_it_begins() {
    const TRIALS: usize = 3;
    let (log, mut rng) = (Log::of(1_000).await, TestRng::new(5));
    log.database.drop_audit_guards().await;
    let forge = Forge::of(&log).await;
    assert!(log.last >= 1_000 && 500 < forge.middle && forge.middle < log.last, "{}", forge.middle);
    let mut failed = Vec::new();
    for (name, forgery) in FORGERIES {
        let mut found = 0;
        for _ in 0..TRIALS {
            let at = 2 + i64::try_from(rng.below(log.last.unsigned_abs() - 3)).unwrap();
            let later = at + 1 + i64::try_from(rng.below((log.last - at).unsigned_abs() - 1)).unwrap();
            let (sql, place) = forgery(&forge, at, later);
            let mut changed = 0;
            for sql in sql {
                changed += log.database.execute(&sql).await;
            }
            assert!(changed > 0, "{name}");
            let report = log.verify().await;
            let seq = |name: &str| report[name].as_i64().unwrap_or_default();
            let is_located = seq("first_bad_seq") <= *place.end() && *place.start() <= seq("last_bad_seq");
            match report["valid"] == false && is_located {
                true => found += 1,
                false => failed.push(format!("{name}, {at}, {later}: {report}")),
            }
            forge.restore().await;
        }
        tally(name, TRIALS, found);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(log.is_whole().await);
}

#[tokio::test]
async fn anybody_can_compute_the_seals() {
    let log = Log::of(20).await;
    let mut before = "0".repeat(64);
    for (event, seq) in log.events().await.iter().zip(1..) {
        assert_eq!((&event["seq"], event["prev_hash"].as_str()), (&seq.into(), Some(&*before)));
        before = hash(event, seq, &before);
        assert_eq!(event["hash"], before);
    }
}
