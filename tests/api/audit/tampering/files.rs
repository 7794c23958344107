//! Changes of an export without the database: `insula audit verify`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use insula_tests::TestRng;
use serde_json::Value;
use uuid::Uuid;

use super::log::{ACME, Log, tally};

/// An exported log, its keys beside it.
struct Files {
    log: Log,
    /// The whole log, line by line: what it claims, an event each, its end.
    lines: Vec<String>,
}

/// What the command said: its exit code, and what it printed or complained about.
type Said = (Option<i32>, String);

impl Files {
    async fn new(events: usize) -> Self {
        let log = Log::of(events).await;
        let lines: Vec<_> = log.export().await.lines().map(str::to_owned).collect();
        assert_eq!(i64::try_from(lines.len()).unwrap(), log.last + 2);
        let keys = log.server.client().get("/.well-known/audit-keys.json").await;
        let files = Self { log, lines };
        std::fs::write(files.path("keys.json"), keys.body).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.log.server.test_env().folder().join(name)
    }

    /// Asks the command about a file with this in it.
    fn verify(&self, file: &[u8], more: &[&str]) -> Said {
        std::fs::write(self.path("log.jsonl"), file).unwrap();
        self.run(&[&["log.jsonl", "--key", "keys.json"], more].concat(), &[])
    }

    fn run(&self, arguments: &[&str], envs: &[(&str, &str)]) -> Said {
        let arguments = [&["audit", "verify"], arguments].concat();
        let output = self.log.server.test_env().insula(&arguments, envs);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (printed, complained) = (text(&output.stdout), text(&output.stderr));
        // Without a terminal there is no progress bar and no colour.
        assert!(printed.is_empty() != complained.is_empty(), "{printed} {complained}");
        assert!(!format!("{printed}{complained}").contains(['\x1b', '\r']), "{printed} {complained}");
        assert_eq!(output.status.success(), complained.is_empty());
        (output.status.code(), printed + &complained)
    }

    fn joined(lines: &[impl AsRef<str>]) -> Vec<u8> {
        lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect::<String>().into()
    }

    /// Is event `seq` among those that are named as broken?
    fn names(said: &Said, seq: i64) -> bool {
        let named =
            said.1.split_once("verification failed at event").map(|(_, place)| place.trim_start_matches('s'));
        let place = named.and_then(|place| place.split('.').next()).unwrap_or_default().trim();
        let (first, last) = place.split_once(" to ").unwrap_or((place, place));
        let number = |text: &str| text.parse::<i64>().ok();
        said.0 == Some(1)
            && number(first).zip(number(last)).is_some_and(|(first, last)| (first..=last).contains(&seq))
    }
}

/// What a line says, however it is written: ids and instants have several spellings.
fn meaning(line: &[u8]) -> Option<Value> {
    fn plain(value: Value) -> Value {
        match value {
            Value::Object(members) => members.into_iter().map(|(name, value)| (name, plain(value))).collect(),
            Value::Array(items) => items.into_iter().map(plain).collect(),
            Value::String(text) => {
                let id = text.parse::<Uuid>().map(|id| id.to_string());
                let instant = || text.parse::<DateTime<Utc>>().map(|instant| instant.to_string());
                id.or_else(|_| instant()).unwrap_or(text).into()
            }
            other => other,
        }
    }
    serde_json::from_slice(line).ok().map(plain)
}

#[tokio::test]
async fn one_byte_of_an_export_is_found_in_its_line() {
    const TRIALS: usize = 150;
    let (files, mut rng) = (Files::new(40).await, TestRng::new(7));
    let (mut found, mut passed) = (0, 0);
    for _ in 0..TRIALS {
        let number = usize::try_from(rng.below(files.lines.len() as u64)).unwrap();
        let line = files.lines[number].as_bytes();
        let at = usize::try_from(rng.below(line.len() as u64)).unwrap();
        let mut altered = line.to_vec();
        altered[at] ^= u8::try_from(rng.below(255)).unwrap() + 1;
        let mut file = Files::joined(&files.lines);
        let start: usize = files.lines[..number].iter().map(|line| line.len() + 1).sum();
        file[start..start + line.len()].copy_from_slice(&altered);
        let said = files.verify(&file, &[]);
        let what = format!("line {}: {}: {said:?}", number + 1, String::from_utf8_lossy(&altered));
        if meaning(&altered) == meaning(line) {
            passed += 1;
            assert!(said.0 == Some(0) || said.1.contains("verification failed at event"), "{what}");
            continue;
        }
        // What the log claims to be shows to be wrong where it does not fit.
        let place = if number == 0 { ", line ".to_owned() } else { format!(", line {}: ", number + 1) };
        assert!(said.0 == Some(1) && said.1.contains(&place), "{what}");
        found += 1;
    }
    assert!(passed < TRIALS / 10);
    tally("a byte of an export changed", TRIALS - passed, found);
}

#[tokio::test]
async fn lines_of_an_export_that_are_not_in_their_place_are_found() {
    let (files, mut rng) = (Files::new(40).await, TestRng::new(8));
    let (lines, last) = (&files.lines, files.log.last);
    let line = |seq: i64| usize::try_from(seq).unwrap();
    let mut found = 0;
    for _ in 0..10 {
        let at = 2 + i64::try_from(rng.below(last.unsigned_abs() - 3)).unwrap();
        let later = at + 1 + i64::try_from(rng.below((last - at).unsigned_abs() - 1)).unwrap();
        let (mut removed, mut swapped, mut doubled) = (lines.clone(), lines.clone(), lines.clone());
        removed.remove(line(at));
        swapped.swap(line(at), line(later));
        doubled.insert(line(later), lines[line(at)].clone());
        let end = &lines[lines.len() - 1..];
        let (cut, headless) = ([&lines[..=line(at)], end].concat(), lines[..=line(at)].to_vec());
        for (name, altered, places) in [
            ("removed", removed, [at, at]),
            ("swapped", swapped, [at, at]),
            ("doubled", doubled, [at, at]),
            ("cut off", cut, [at + 1, at + 1]),
            // Without a word about the end, it depends on what was signed before.
            ("cut off with its end", headless.clone(), [at, at + 1]),
        ] {
            let said = files.verify(&Files::joined(&altered), &[]);
            assert!(places.iter().any(|place| Files::names(&said, *place)), "{name} {at} {later}: {said:?}");
            found += 1;
        }
        let mut torn = Files::joined(&headless);
        torn.truncate(torn.len() - 2);
        let said = files.verify(&torn, &[]);
        assert!(said.0 == Some(1) && said.1.contains(&format!("line {}: ", at + 1)), "{said:?}");
        found += 1;
    }
    tally("lines of an export removed, swapped, doubled, cut off", 60, found);
    let more = Files::joined(&[&lines[..], &lines[1..2]].concat());
    assert!(files.verify(&more, &[]).1.contains("unexpected data after the end"));
}

#[tokio::test]
async fn an_export_is_whole_or_it_is_said_why_nobody_can_say() {
    let files = Files::new(20).await;
    let (whole, usual) = (Files::joined(&files.lines), ["log.jsonl", "--key", "keys.json"]);
    let (code, said) = files.verify(&whole, &[]);
    let praise = format!(
        "The audit log is intact: {} events; events 1 to {}, signed by ",
        files.log.last, files.log.last
    );
    assert!(code == Some(0) && said.starts_with(&praise), "{said}");
    assert!(said.contains("\nLast checkpoint: event "), "{said}");
    for envs in [[("NO_COLOR", "1")], [("TERM", "xterm-256color")], [("CLICOLOR_FORCE", "1")]] {
        assert_eq!(files.run(&usual, &envs), (code, said.clone()));
    }
    let complains = |said: &Said, why: &str| {
        assert!(
            said.0 == Some(1) && said.1.starts_with("insula: ") && said.1.contains(why),
            "{why}: {said:?}"
        );
    };
    let mut other: Value = serde_json::from_slice(&std::fs::read(files.path("keys.json")).unwrap()).unwrap();
    // A foreign key: that of RFC 8032 §7.1, test 1.
    other["keys"][0]["x"] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into();
    for (name, key, why) in [
        ("other.json", other.to_string(), "signature of the log up to this event is invalid"),
        ("none.json", r#"{"keys":[]}"#.to_owned(), "does not contain an Ed25519 key"),
        ("no.json", "-".to_owned(), "no.json: "),
    ] {
        std::fs::write(files.path(name), key).unwrap();
        complains(&files.run(&["log.jsonl", "--key", name], &[]), why);
    }
    complains(&files.run(&["log.jsonl", "--key", "nowhere.json"], &[]), "nowhere.json: ");
    complains(&files.run(&["nowhere.jsonl", "--key", "keys.json"], &[]), "nowhere.jsonl: ");
    complains(&files.verify(b"", &[]), "the first line of a complete log is missing");
    complains(&files.verify(b"\n", &[]), "not a line of an audit log");
    complains(&files.verify(&whole, &["--selection"]), "omit `--selection`");
}

#[tokio::test]
async fn of_a_part_of_a_log_each_event_is_looked_at_by_itself() {
    let files = Files::new(20).await;
    let event: Value = serde_json::from_str(&files.lines[10]).unwrap();
    let from = event["occurred_at"].as_str().unwrap();
    let part = files.log.owner.get(&format!("{ACME}/exports/audit-events.jsonl?from={from}")).await;
    // What came since the first export is sealed meanwhile, or not.
    let lines: Vec<_> = part.text().lines().collect();
    assert!(lines.len() >= files.lines.len() - 11 && lines[0] == files.lines[10]);
    let (code, said) = files.verify(&part.body, &["--selection"]);
    assert!(
        code == Some(0) && said.contains(&format!("Each of the {} events matches", lines.len())),
        "{said}"
    );
    let (code, said) = files.verify(&part.body, &[]);
    assert!(code == Some(1) && said.contains("`--selection`"), "{said}");
    let altered = part.text().replacen("ada@example.com", "eve@example.com", 1);
    for altered in [altered, part.text().replacen("project.updated", "project.created", 1)] {
        assert!(Files::names(&files.verify(altered.as_bytes(), &["--selection"]), 10), "{altered}");
    }
    // Nobody can say that nothing is missing.
    assert_eq!(files.verify(&Files::joined(&lines[3..5]), &["--selection"]).0, Some(0));
}
