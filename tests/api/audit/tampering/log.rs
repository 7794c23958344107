//! A sealed log, and full access to its database.

use insula_tests::{Client, Server, TestDatabase, concurrently};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const ACME: &str = "/api/v1/organizations/acme";

/// The log of acme: every event is sealed, and none comes any more. In its middle there is a checkpoint.
pub(crate) struct Log {
    /// Serves it.
    pub(crate) server: Server,
    pub(crate) database: TestDatabase,
    pub(crate) owner: Client,
    /// The number of its last event.
    pub(crate) last: i64,
    /// The id of acme, as SQL.
    pub(crate) org: String,
    /// SQL that puts back the head that was signed when the log was half as long, and of which event that was.
    pub(crate) old_head: (String, i64),
}

impl Log {
    /// With this many events at least.
    pub(crate) async fn of(events: usize) -> Self {
        // Every trial would leave its lines in what a failed test shows.
        let server = Server::builder().env("RUST_LOG", "error").start().await;
        let (database, owner) = (server.database().await, server.client().register("ada@example.com").await);
        owner.create_organization("acme").await;
        let org = format!("SELECT {} FROM organizations WHERE slug = 'acme'", database.literal("id"));
        let org = database.text(&org).await;
        let mut log = Self { server, database, owner, last: 0, org, old_head: (String::new(), 0) };
        log.write(events / 2).await;
        let head = ["last_seq", "last_hash", "sealed_at", "signature", "key_id"];
        let values = head.map(|column| format!("'{column} = ' || {}", log.database.literal(column)));
        let place = format!("audit_heads WHERE organization_id = {}", log.org);
        let values = log.database.text(&format!("SELECT {} FROM {place}", values.join(" || ', ' || "))).await;
        log.old_head =
            (format!("UPDATE audit_heads SET {values} WHERE organization_id = {}", log.org), log.last);
        log.database.execute("UPDATE audit_heads SET checkpointed_at = '2000-01-01T00:00:00+00:00'").await;
        log.write(events.div_ceil(2)).await;
        log
    }

    /// Adds events and waits until they are sealed.
    async fn write(&mut self, events: usize) {
        const WRITERS: usize = 4;
        const ONE_BY_ONE: usize = 25;
        concurrently(WRITERS, |writer| {
            let (owner, last) = (self.owner.with("user-agent", &format!("Writer/{writer}")), self.last);
            async move {
                let draft = json!({ "code": format!("P{writer}-{last}"), "name": "P" });
                let made = owner.post(&format!("{ACME}/projects"), draft).await;
                let path = made.header("location").unwrap().to_owned();
                let events = events.div_ceil(WRITERS);
                // Of a long log most are written many at once.
                let tasks: Vec<_> =
                    (ONE_BY_ONE..events).map(|n| json!({ "title": format!("Oil {n}") })).collect();
                for tasks in tasks.chunks(100) {
                    owner.post(&format!("{ACME}/tasks/bulk"), json!({ "tasks": tasks })).await.expect(207);
                }
                for number in 0..events.min(ONE_BY_ONE) {
                    owner.patch(&path, json!({ "name": format!("Engine {number}") })).await.expect(200);
                }
            }
        })
        .await;
        let written = format!("SELECT count(*) FROM audit_events WHERE organization_id = {}", self.org);
        self.last = self.database.scalar(&written).await;
        self.database.wait_until_sealed().await;
        assert_eq!(self.verify().await["events"], self.last);
    }

    /// Its events: their columns, in the order of their numbers.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let database = &self.database;
        let row = match database {
            TestDatabase::Postgres(_) => "row_to_json(e)::text".to_owned(),
            TestDatabase::Sqlite(_) => {
                let columns = database.columns("audit_events").await;
                let member = |(name, kind): &(String, String)| match kind.starts_with("uuid") {
                    true => format!("'{name}', nullif(lower(hex({name})), '')"),
                    false => format!("'{name}', {name}"),
                };
                format!("json_object({})", columns.iter().map(member).collect::<Vec<_>>().join(", "))
            }
        };
        let sql =
            format!("SELECT {row} FROM audit_events e WHERE organization_id = {} ORDER BY seq", self.org);
        let event = |row: &String| {
            let mut event: Value = serde_json::from_str(row).unwrap();
            for id in ["id", "organization_id", "actor_id", "session_id"] {
                if let Some(hex) = event[id].as_str() {
                    event[id] = hex.parse::<Uuid>().unwrap().to_string().into();
                }
            }
            event
        };
        database.texts(&sql).await.iter().map(event).collect()
    }

    /// All of it, as a file. That it was exported is one event more, which is not in it.
    pub(crate) async fn export(&self) -> String {
        self.owner.get(&format!("{ACME}/exports/audit-events.jsonl")).await.text().to_owned()
    }

    /// What the program says of it.
    pub(crate) async fn verify(&self) -> Value {
        self.owner.get(&format!("{ACME}/audit/verify")).await.expect(200)
    }

    /// Is it whole, as it was before anybody did anything to it?
    pub(crate) async fn is_whole(&self) -> bool {
        let report = self.verify().await;
        report["valid"] == true && report["events"] == self.last && report["erased"] == 0
    }
}

/// Prints the number of trials and of detections.
#[expect(clippy::print_stdout, reason = "shown with `--nocapture`")]
pub(crate) fn tally(what: &str, trials: usize, found: usize) {
    println!("{what}: {found} of {trials} found");
}
