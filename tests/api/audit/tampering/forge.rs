//! SQL for forged events and statements that look like those of the program.

use insula_tests::TestDatabase;
use serde_json::{Value, json};

use super::{
    log::Log,
    seal::{foreign_key, hash, hex, signature},
};

/// The rows of a log, which are restored after each trial.
const TABLES: [&str; 4] = ["audit_events", "audit_heads", "audit_checkpoints", "signing_keys"];

/// What an event is made to say.
const FORGED: &str = "user.promoted";

const FOREIGN_KEY: &str = "AAAAAAAAAAA";

/// Ids that nothing else has.
const IDS: [&str; 3] = [
    "01a21326-0000-7000-8000-000000000001",
    "01a21326-0000-7000-8000-000000000002",
    "01a21326-0000-7000-8000-000000000003",
];

/// A log and what was sealed in it.
pub(super) struct Forge<'a> {
    log: &'a Log,
    events: Vec<Value>,
    /// The number of its last event.
    pub(super) last: i64,
    /// The number of the event in its middle of which there is a checkpoint.
    pub(super) middle: i64,
}

impl<'a> Forge<'a> {
    pub(super) async fn of(log: &'a Log) -> Self {
        for table in TABLES {
            let kept =
                format!("CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {}", rows(log, table));
            log.database.execute(&kept).await;
        }
        let middle = format!("SELECT max(seq) FROM audit_checkpoints WHERE organization_id = {}", log.org);
        Self { log, events: log.events().await, last: log.last, middle: log.database.scalar(&middle).await }
    }

    /// Puts everything back.
    pub(super) async fn restore(&self) {
        for table in TABLES {
            self.log.database.execute(&format!("DELETE FROM {table} WHERE {}", rows(self.log, table))).await;
            self.log.database.execute(&format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
        }
    }

    pub(super) fn event(&self, seq: i64) -> &Value {
        &self.events[usize::try_from(seq - 1).unwrap()]
    }

    /// Of event 0: what the first one has for the hash of the one before.
    pub(super) fn hash(&self, seq: i64) -> &str {
        const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
        if seq == 0 { GENESIS } else { self.event(seq)["hash"].as_str().unwrap() }
    }

    /// An id as SQL.
    pub(super) fn id(&self, id: &str) -> String {
        match self.log.database {
            TestDatabase::Sqlite(_) => format!("X'{}'", id.replace('-', "")),
            TestDatabase::Postgres(_) => format!("'{id}'::uuid"),
        }
    }

    pub(super) fn delete(&self, which: &str) -> String {
        format!("DELETE FROM audit_events WHERE organization_id = {} AND {which}", self.log.org)
    }

    pub(super) fn update(&self, change: &str, which: &str) -> String {
        format!("UPDATE audit_events SET {change} WHERE organization_id = {} AND {which}", self.log.org)
    }

    pub(super) fn head(&self, change: &str) -> String {
        format!("UPDATE audit_heads SET {change} WHERE organization_id = {}", self.log.org)
    }

    /// Puts back the head that was signed when the log was shorter; gives how long it was.
    pub(super) fn old_head(&self) -> (String, i64) {
        self.log.old_head.clone()
    }

    pub(super) fn delete_first_event(&self) -> String {
        format!("DELETE FROM audit_heads WHERE organization_id = {}", self.log.org)
    }

    /// Adds an event like number `like`, but for its action, with this number and this seal.
    pub(super) fn insert(&self, like: i64, seq: i64, before: &str, hash: &str) -> String {
        format!(
            "INSERT INTO audit_events SELECT {}, organization_id, occurred_at, actor_kind, actor_id, '{FORGED}',
             resource, resource_id, outcome, details, session_id, request_id, trace_id, schema_version, personal_hash,
             {seq}, '{before}', '{hash}' FROM audit_events WHERE organization_id = {} AND seq = {like}",
            self.id(IDS[0]),
            self.log.org
        )
    }

    /// Adds an event with this number, sealed as the program would after the one before it.
    pub(super) fn insert_sealed(&self, seq: i64) -> String {
        let mut forged = self.event(seq - 1).clone();
        forged["id"] = IDS[0].into();
        forged["action"] = FORGED.into();
        let before = self.hash(seq - 1);
        self.insert(seq - 1, seq, before, &hash(&forged, seq, before))
    }

    /// Has event `from` say something else and seals all up to `to` anew; gives the hash of that one.
    pub(super) fn rewrite(&self, from: i64, to: i64) -> (Vec<String>, String) {
        let (mut before, mut hashes, mut befores) =
            (self.hash(from - 1).to_owned(), String::new(), String::new());
        for seq in from..=to {
            let mut event = self.event(seq).clone();
            if seq == from {
                event["action"] = FORGED.into();
            }
            befores += &format!(" WHEN {seq} THEN '{before}'");
            before = hash(&event, seq, &before);
            hashes += &format!(" WHEN {seq} THEN '{before}'");
        }
        let seals = format!("prev_hash = CASE seq{befores} END, hash = CASE seq{hashes} END");
        let sql = vec![
            self.update(&format!("action = '{FORGED}'"), &format!("seq = {from}")),
            self.update(&seals, &format!("seq BETWEEN {from} AND {to}")),
        ];
        (sql, before)
    }

    /// Writes the end anew from event `from` on, and signs it with a key that the program knows nothing of.
    pub(super) fn sign_anew(&self, from: i64) -> Vec<String> {
        let (mut sql, end) = self.rewrite(from, self.last);
        let (signature, time) = self.signed("head", self.last, &end);
        sql.push(self.head(&format!(
            "last_hash = '{end}', sealed_at = '{time}', signature = '{signature}', key_id = '{FOREIGN_KEY}'"
        )));
        let gone = format!(
            "DELETE FROM audit_checkpoints WHERE organization_id = {} AND seq >= {from}",
            self.log.org
        );
        sql.push(gone);
        sql.push(self.checkpoint(self.last, &end));
        sql
    }

    /// Adds a checkpoint, signed with that key.
    pub(super) fn checkpoint(&self, seq: i64, hash: &str) -> String {
        let (signature, time) = self.signed("periodic", seq, hash);
        format!(
            "INSERT INTO audit_checkpoints (id, organization_id, kind, seq, hash, signature, key_id, created_at)
             VALUES ({}, {}, 'periodic', {seq}, '{hash}', '{signature}', '{FOREIGN_KEY}', '{time}')",
            self.id(IDS[1]),
            self.log.org
        )
    }

    /// Its signature, and when it was made.
    fn signed(&self, kind: &str, seq: i64, hash: &str) -> (String, &'static str) {
        let (organization, time) = (&self.event(1)["organization_id"], "2026-01-02T03:04:05.000006+00:00");
        let stated =
            json!({ "kind": kind, "organization_id": organization, "seq": seq, "hash": hash, "time": time });
        (signature(&stated), time)
    }

    /// Puts that key among those that sign audit logs.
    pub(super) fn insert_forged(&self) -> String {
        format!(
            "INSERT INTO signing_keys SELECT {}, purpose, '{FOREIGN_KEY}', {}, wrapped_private, 'retiring', activates_at,
             expires_at, created_at, updated_at FROM signing_keys WHERE purpose = 'audit'",
            self.id(IDS[2]),
            self.public()
        )
    }

    /// Puts it in the place of the one that signs.
    pub(super) fn put_over(&self) -> String {
        let public = self.public();
        format!("UPDATE signing_keys SET kid = '{FOREIGN_KEY}', public = {public} WHERE purpose = 'audit'")
    }

    fn public(&self) -> String {
        let public = hex(&foreign_key().verifying_key().to_bytes());
        match self.log.database {
            TestDatabase::Sqlite(_) => format!("X'{public}'"),
            TestDatabase::Postgres(_) => format!("'\\x{public}'::bytea"),
        }
    }
}

/// Which rows of a table are about the log.
fn rows(log: &Log, table: &str) -> String {
    match table {
        "signing_keys" => "purpose = 'audit'".to_owned(),
        _ => format!("organization_id = {}", log.org),
    }
}
