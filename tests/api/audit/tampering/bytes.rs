//! Changes of one byte of one column.

use chrono::DateTime;
use insula_tests::{TestDatabase, TestRng};
use serde_json::Value;

use super::log::{Log, tally};

/// A value as the database keeps it, and how to change it a little.
struct Cell {
    table: &'static str,
    column: String,
    kind: String,
    /// The event it is of.
    seq: i64,
    /// Which row, also when the value is another one.
    row: String,
    /// As SQL.
    value: String,
}

impl Cell {
    /// Of an event, or of what is personal of it.
    async fn of(log: &Log, table: &'static str, (column, kind): (String, String), seq: i64) -> Self {
        let place = format!("organization_id = {} AND seq = {seq}", log.org);
        let read = async |column: &str, from: &str| read(&log.database, column, from).await;
        let id = read("id", &format!("audit_events WHERE {place}")).await;
        let row = match (table, &*column) {
            ("audit_events", "seq" | "organization_id") => format!("id = {id}"),
            ("audit_events", _) => place,
            (_, "id") => format!("salt = {}", read("salt", &format!("{table} WHERE id = {id}")).await),
            _ => format!("id = {id}"),
        };
        let value = read(&column, &format!("{table} WHERE {row}")).await;
        Self { table, column, kind, seq, row, value }
    }

    /// Of a signed statement.
    async fn signed(log: &Log, table: &'static str, (column, kind): (String, String)) -> Self {
        let latest = format!("{table} WHERE organization_id = {} ORDER BY created_at DESC LIMIT 1", log.org);
        let row = format!("id = {}", read(&log.database, "id", &latest).await);
        let value = read(&log.database, &column, &format!("{table} WHERE {row}")).await;
        Self { table, column, kind, seq: 0, row, value }
    }

    /// The value with one byte changed, as SQL. Where there is none, some value.
    fn flipped(&self, database: &TestDatabase, rng: &mut TestRng) -> String {
        match database {
            TestDatabase::Sqlite(_) => self.flipped_on_sqlite(rng),
            TestDatabase::Postgres(_) => self.flipped_on_postgres(rng),
        }
    }

    /// Is it only written otherwise? To SQLite an instant is a text: `T` or any white space in the middle, `+00:00` or
    /// `-00:00` at the end, also with white space in place of its colon, are the same.
    fn is_same(&self, bytes: &[u8]) -> bool {
        let instant = |text: &str| {
            let text = text.trim_matches('\'');
            let strict = DateTime::parse_from_rfc3339(text).ok();
            strict.or_else(|| DateTime::parse_from_str(&text.replacen('T', " ", 1), "%F %T%.f%#z").ok())
        };
        self.column.ends_with("_at")
            && std::str::from_utf8(bytes).is_ok_and(|text| instant(text) == instant(&self.value))
    }

    fn flipped_on_sqlite(&self, rng: &mut TestRng) -> String {
        let flip = |original: Vec<u8>, rng: &mut TestRng| {
            let mut bytes = original.clone();
            while bytes == original || self.is_same(&bytes) {
                bytes.clone_from(&original);
                bytes[place(rng, original.len())] ^= u8::try_from(rng.below(255)).unwrap() + 1;
            }
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("X'{hex}'")
        };
        if let Some(hex) = self.value.strip_prefix("X'") {
            let digits = hex.trim_end_matches('\'').as_bytes().chunks(2);
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            flip(digits.map(byte).collect(), rng)
        } else if let Some(text) = self.value.strip_prefix('\'') {
            // May be no text any more, and an instant that cannot be read.
            format!("CAST({} AS TEXT)", flip(text.trim_end_matches('\'').into(), rng))
        } else if let Ok(number) = self.value.parse::<i64>() {
            (number ^ (1 << rng.below(63))).to_string()
        } else {
            flip(vec![0; 16], rng)
        }
    }

    fn flipped_on_postgres(&self, rng: &mut TestRng) -> String {
        let text = self.value.trim_matches('\'');
        match &*self.kind {
            "bigint" => format!("{}", text.parse::<i64>().unwrap() ^ (1 << rng.below(63))),
            "integer" => format!("{}", text.parse::<i32>().unwrap() ^ (1 << rng.below(31))),
            "timestamp with time zone" => {
                format!("{}::timestamptz + interval '1 microsecond' * {}", self.value, 1_u64 << rng.below(50))
            }
            "uuid" if text == "NULL" => "gen_random_uuid()".to_owned(),
            "uuid" => format!("'{}'", with_another(text, b"0123456789abcdef", rng)),
            _ if text == "NULL" => "'x'".to_owned(),
            _ => format!("'{}'", with_another(text, b"{}[]\",:.-0123456789abcdefABCDEF \n", rng)),
        }
    }

    async fn set(&self, database: &TestDatabase, value: &str) {
        let Self { table, column, row, .. } = self;
        let sql = format!("UPDATE {table} SET {column} = {value} WHERE {row}");
        assert_eq!(database.execute(&sql).await, 1, "{sql}");
    }

    /// What is to be said of it, once it is `value`: where the log is broken; `None`: the event is one that was erased.
    fn place(&self, value: &str) -> Option<i64> {
        match (self.table, &*self.column) {
            ("audit_personal", "id" | "organization_id") => None,
            // It is missing where it was, or too much where it is.
            ("audit_events", "seq") => Some(self.seq.min(value.parse().unwrap())),
            _ => Some(self.seq),
        }
    }
}

/// The value of a column as SQL.
async fn read(database: &TestDatabase, column: &str, from: &str) -> String {
    database.text(&format!("SELECT coalesce({}, 'NULL') FROM {from}", database.literal(column))).await
}

fn place(rng: &mut TestRng, length: usize) -> usize {
    usize::try_from(rng.below(length as u64)).unwrap()
}

/// The text with one of its bytes changed into one of `letters`; never a hyphen, without which an id is none.
fn with_another(text: &str, letters: &[u8], rng: &mut TestRng) -> String {
    let mut bytes = text.as_bytes().to_vec();
    while bytes == text.as_bytes() {
        let at = place(rng, bytes.len());
        if bytes[at] != b'-' {
            bytes[at] = rng.choose(letters);
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn says(report: &Value, broken: Option<i64>) -> bool {
    match broken {
        None => report["valid"] == true && report["erased"] == 1,
        Some(seq) => report["valid"] == false && report["first_bad_seq"] == seq,
    }
}

#[tokio::test]
async fn one_byte_of_any_column_of_any_event_is_found_where_it_is() {
    const TRIALS: usize = 1_000;
    // With so few every column of every event has its turn.
    const EVENTS: usize = 24;
    let (log, mut rng) = (Log::of(EVENTS).await, TestRng::new(4));
    log.database.drop_audit_guards().await;
    let mut columns = Vec::new();
    for table in ["audit_events", "audit_personal"] {
        columns.extend(log.database.columns(table).await.into_iter().map(|column| (table, column)));
    }
    assert_eq!(columns.len(), 18 + 6, "{columns:?}");
    let last = usize::try_from(log.last).unwrap();
    assert!(last >= EVENTS && columns.len() * last <= TRIALS, "{last} events");
    let mut missed = Vec::new();
    for trial in 0..TRIALS {
        let (table, column) = columns[trial % columns.len()].clone();
        let seq = i64::try_from(1 + trial / columns.len() % last).unwrap();
        let cell = Cell::of(&log, table, column, seq).await;
        let value = cell.flipped(&log.database, &mut rng);
        cell.set(&log.database, &value).await;
        let report = log.verify().await;
        if !says(&report, cell.place(&value)) {
            missed.push(format!("{table}.{} of {seq}: {} -> {value}: {report}", cell.column, cell.value));
        }
        cell.set(&log.database, &cell.value).await;
    }
    tally("a byte changed", TRIALS, TRIALS - missed.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(log.is_whole().await);
}

#[tokio::test]
async fn one_byte_of_what_is_signed_of_a_log_is_found() {
    const TRIALS: usize = 120;
    let (log, mut rng) = (Log::of(20).await, TestRng::new(6));
    log.database.drop_audit_guards().await;
    let mut missed = Vec::new();
    let signed = [
        ("audit_heads", "last_seq last_hash sealed_at signature key_id pruned_seq organization_id"),
        ("audit_checkpoints", "kind seq hash signature key_id created_at"),
    ];
    let mut columns = Vec::new();
    for (table, names) in signed {
        let all = log.database.columns(table).await;
        let named = all.into_iter().filter(|(name, _)| names.split(' ').any(|signed| signed == name));
        columns.extend(named.map(|column| (table, column)));
    }
    assert_eq!(columns.len(), 7 + 6, "{columns:?}");
    for trial in 0..TRIALS {
        let (table, column) = columns[trial % columns.len()].clone();
        let cell = Cell::signed(&log, table, column).await;
        let value = cell.flipped(&log.database, &mut rng);
        cell.set(&log.database, &value).await;
        let report = log.verify().await;
        if report["valid"] == true {
            missed.push(format!("{table}.{}: {} -> {value}: {report}", cell.column, cell.value));
        }
        cell.set(&log.database, &cell.value).await;
    }
    tally("a byte of what is signed changed", TRIALS, TRIALS - missed.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(log.is_whole().await);
}

#[tokio::test]
async fn what_was_personal_and_is_gone_was_erased() {
    let log = Log::of(20).await;
    let gone = "DELETE FROM audit_personal WHERE id = (SELECT id FROM audit_events WHERE organization_id = ";
    assert_eq!(log.database.execute(&format!("{gone} {} AND seq = 7)", log.org)).await, 1);
    let report = log.verify().await;
    assert!(says(&report, None) && report["events"] == log.last, "{report}");
}
