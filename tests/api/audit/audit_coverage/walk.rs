//! Performs operations by name and collects the events of each.

use std::collections::BTreeSet;

use insula_tests::{Client, Operation, Server, TestDatabase, TestTrace};
use serde_json::Value;

use super::table::TABLE;

/// The platform's log, as the database spells its owner.
const PLATFORM: &str = "00000000000000000000000000000000";

/// What a superuser's look into an organization leaves there, whatever comes of it.
const ACCESS_EVENT: &str = "platform.access";

/// Members of request and response bodies whose values must not be in a log.
const SECRET: [&str; 13] = [
    "access_token",
    "csrf_token",
    "current_password",
    "email",
    "first_name",
    "last_name",
    "new_password",
    "owner_email",
    "password",
    "password_reset_token",
    "refresh_token",
    "token",
    "username",
];

/// The operation that a step performs: `updateMember` of `updateMember.suspended`.
pub(super) fn operation_of(step: &str) -> &str {
    step.split('.').next().unwrap()
}

/// The operations of the document that may change something.
pub(super) fn mutating(document: &Value) -> Vec<Operation> {
    let all = Operation::all(document).into_iter();
    all.filter(|operation| ["POST", "PUT", "PATCH", "DELETE"].contains(&&*operation.method)).collect()
}

/// A walk over operations of one server.
pub(crate) struct Walk {
    document: Value,
    operations: Vec<Operation>,
    database: TestDatabase,
    performed: BTreeSet<String>,
    traces: Vec<(String, TestTrace)>,
    server: Option<Server>,
    secrets: BTreeSet<String>,
    faults: Vec<String>,
}

impl Walk {
    /// On this server.
    pub(super) async fn through(server: &Server) -> Self {
        let document = server.client().get("/api/v1/openapi.json").await.expect(200);
        let operations = mutating(&document);
        let (performed, traces, secrets, faults) = Default::default();
        let database = server.database().await;
        Self { document, operations, database, performed, traces, server: None, secrets, faults }
    }

    /// What it walks over.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// Past the operations.
    pub(super) fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// The steps that were taken.
    pub(super) fn performed(&self) -> impl Iterator<Item = &str> {
        self.performed.iter().map(String::as_str)
    }

    /// The trace of each request, with its step: `updateMember.suspended.again`.
    pub(crate) fn traces(&self) -> impl Iterator<Item = (&str, &TestTrace)> {
        self.traces.iter().map(|(step, trace)| (&**step, trace))
    }

    /// What was not as the table says.
    pub(super) fn faults(&self) -> impl Iterator<Item = &str> {
        self.faults.iter().map(String::as_str)
    }

    /// Performs an operation. `at` fills in its path, in order; what begins with `?` is the query. `step` is the name of
    /// the operation, and of the case where there are several: `updateMember.suspended`.
    ///
    /// Where the operation can be tried, it is tried before; where it is to be done once, or sets what it names, it is
    /// asked for again: both leave nothing.
    pub(super) async fn step(&mut self, who: &Client, step: &str, at: &[&str], body: Value) -> Value {
        let expected = TABLE.iter().find(|(name, _)| *name == step).map(|(_, events)| *events);
        if expected.is_none() {
            self.faults.push(format!("{step} has no row"));
        }
        let expected = expected.unwrap_or_default();
        let looks: Vec<_> = expected.iter().copied().filter(|event| event.contains(ACCESS_EVENT)).collect();
        let (may_try, is_once) = (self.takes(step, "dry_run"), self.takes(step, "Idempotency-Key"));
        let who = if is_once { &who.with("idempotency-key", step) } else { who };

        if may_try {
            let tried = [at, &["?dry_run=true"]].concat();
            self.perform(who, (step, ".tried"), &tried, &body, &looks).await;
        }
        let answer = self.perform(who, (step, ""), at, &body, expected).await;
        if is_once || self.operation(step).method == "PATCH" {
            let again = self.perform(who, (step, ".again"), at, &body, &looks).await;
            if again != answer {
                self.faults
                    .push(format!("{step} answers {again} where it is asked for again, after {answer}"));
            }
        }
        self.performed.insert(step.to_owned());
        answer
    }

    /// Performs an operation of a step that was taken, where there is nothing for it to change: that leaves nothing.
    pub(super) async fn again(&mut self, who: &Client, step: &str, at: &[&str], body: Value) {
        assert!(self.performed.contains(step), "{step} comes first");
        self.perform(who, (step, ".again"), at, &body, &[]).await;
    }

    fn operation(&self, step: &str) -> &Operation {
        let found = self.operations.iter().find(|operation| operation.id == operation_of(step));
        found.unwrap_or_else(|| panic!("the document has no {step}"))
    }

    /// Does the operation take this parameter, in a header or in the query?
    fn takes(&self, step: &str, parameter: &str) -> bool {
        let operation = self.operation(step);
        let parameters =
            &self.document["paths"][&operation.path][operation.method.to_lowercase()]["parameters"];
        parameters.as_array().is_some_and(|all| all.iter().any(|one| one["name"] == parameter))
    }

    async fn perform(
        &mut self,
        who: &Client,
        (step, suffix): (&str, &str),
        at: &[&str],
        body: &Value,
        expected: &[&str],
    ) -> Value {
        let operation = self.operation(step);
        let (query, at): (Vec<&str>, Vec<&str>) = at.iter().partition(|part| part.starts_with('?'));
        assert_eq!(at.len(), operation.parameters().len(), "{}", operation.path);
        let names = operation.parameters();
        let place = |name: &str| names.iter().position(|other| *other == name).unwrap();
        let path = operation.path_with(|name| at[place(name)].to_owned());
        // Several become one.
        let query = query.concat().replace('?', "&").replacen('&', "?", 1);
        let id = format!("{step}{suffix}");
        let trace = TestTrace::new();
        let request = who.request(&operation.method, &(path + &query)).header("x-request-id", &id);
        let request = request.header("traceparent", trace.traceparent());
        if operation.needs_token {
            self.secrets.insert(who.token().to_owned());
        }
        let request = if self.takes(step, "If-Match") { request.header("if-match", "*") } else { request };
        let request = match body {
            Value::Null => request,
            Value::String(file) => request.body("text/csv", file.as_str()),
            body => request.json(body.clone()),
        };
        let reply = request.await;
        self.traces.push((id.clone(), trace));
        let answer = reply.json();
        assert!((200..300).contains(&reply.status), "{id} answers {}: {answer}", reply.status);
        self.keep_secret(body);
        self.keep_secret(&answer);

        let events = self.events(&id).await;
        let mut expected: Vec<_> = expected.iter().map(|event| (*event).to_owned()).collect();
        expected.sort();
        if events != expected {
            self.faults.push(format!("{id} left {events:#?}\n  instead of {expected:#?}"));
        }
        answer
    }

    /// The events that a request left, in order: `acme role.created by user ada`. What is somebody's own organization is
    /// called `ada's`.
    async fn events(&mut self, request: &str) -> Vec<String> {
        let query = format!(
            "SELECT CASE WHEN {log} = '{PLATFORM}' THEN 'platform'
                         WHEN o.kind = 'personal' THEN (SELECT u.email || '''s' FROM members m
                              JOIN users u ON u.id = m.user_id WHERE m.organization_id = o.id)
                         ELSE coalesce(o.slug, 'nowhere') END
                    || ' ' || e.action || ' by ' || e.actor_kind || coalesce(' ' || a.email, '')
                    || '|' || e.outcome || '|' || coalesce(e.details, 'null')
             FROM audit_events e LEFT JOIN organizations o ON o.id = e.organization_id
             LEFT JOIN users a ON a.id = e.actor_id WHERE e.request_id = '{request}'",
            log = self.database.hex("e.organization_id")
        );
        let mut events = Vec::new();
        for row in self.database.texts(&query).await {
            let mut parts = row.splitn(3, '|');
            let mut next = || parts.next().unwrap();
            let (event, outcome, details) = (next(), next(), next());
            events.push(event.replace("@example.com", ""));
            let facts: Value = serde_json::from_str(details).unwrap();
            // Members come out in order.
            let canonical = facts.to_string();
            let is_sound = canonical == details && (facts.is_object() || facts.is_null());
            if outcome != "success" || !is_sound {
                self.faults.push(format!("{request} left {outcome} {details}"));
            }
        }
        events.sort();
        events
    }

    fn keep_secret(&mut self, body: &Value) {
        match body {
            Value::Array(items) => items.iter().for_each(|item| self.keep_secret(item)),
            Value::Object(members) => {
                for (name, value) in members {
                    match value.as_str() {
                        Some(text) if SECRET.contains(&&**name) => drop(self.secrets.insert(text.to_owned())),
                        _ => self.keep_secret(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// Checks at the end that the logs contain no secret. The server runs as long as the walk is there.
    pub(super) async fn finish(mut self, server: Server) -> Self {
        self.server = Some(server);
        let logs = self
            .database
            .texts("SELECT coalesce(details, '') || coalesce(resource_id, '') FROM audit_events");
        let logs = logs.await.join("\n");
        for secret in self.secrets.iter().map(String::as_str).chain(["@example.com", "argon2"]) {
            if logs.contains(secret) {
                self.faults.push(format!("{secret} stands in the logs"));
            }
        }
        assert!(self.secrets.len() > 5, "there were some");
        self
    }
}

/// A text of an answer.
pub(super) fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
}
