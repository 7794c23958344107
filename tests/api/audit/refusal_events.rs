//! The recorded refusals: how they are read, and what is expected.

use insula_tests::TestDatabase;
use serde_json::{Value, json};

/// An event in the logs: log, action, actor, session, resource, details, IP address and name.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    pub(super) log: String,
    pub(super) what: String,
    pub(super) actor: String,
    pub(super) is_by_session: bool,
    pub(super) of: String,
    pub(super) details: Value,
    pub(super) address: String,
    pub(super) label: String,
}

/// Of the request that is called so.
pub(super) async fn events(database: &TestDatabase, request: &str) -> Vec<Event> {
    found(database, &format!("e.request_id = '{request}'")).await
}

/// Of those that were counted.
pub(super) async fn counts(database: &TestDatabase) -> Vec<Event> {
    found(database, "e.details LIKE '%\"repeated\"%'").await
}

async fn found(database: &TestDatabase, condition: &str) -> Vec<Event> {
    let session = database.hex("e.session_id");
    let rows = database
        .texts(&format!(
            "SELECT coalesce(o.slug, CASE WHEN {} = '{}' THEN 'PLATFORM' ELSE '?' END) || '|' || e.action || ' '
             || e.outcome || '|' || e.actor_kind || coalesce(' ' || u.email, '') || '|' || {session} || '|'
             || coalesce(e.resource_id, '') || '|' || e.details || '|' || coalesce(p.ip, '') || '|'
             || coalesce(p.label, '')
             FROM audit_events e LEFT JOIN organizations o ON o.id = e.organization_id
             LEFT JOIN users u ON u.id = e.actor_id LEFT JOIN audit_personal p ON p.id = e.id
             WHERE {condition} AND e.action IN ('access.denied', 'session.refused') ORDER BY e.occurred_at, e.id",
            database.hex("e.organization_id"),
            "0".repeat(32),
        ))
        .await;
    let event = |row: String| {
        let mut parts = row.split('|').map(str::to_owned);
        let mut next = || parts.next().unwrap();
        Event {
            log: next(),
            what: next(),
            actor: next(),
            is_by_session: !next().is_empty(),
            of: next(),
            details: serde_json::from_str(&next()).unwrap(),
            address: next(),
            label: next(),
        }
    };
    rows.into_iter().map(event).collect()
}

pub(super) async fn all(database: &TestDatabase) -> usize {
    found(database, "1 = 1").await.len()
}

/// That this user was refused, who is logged in.
pub(super) fn denied(log: &str, email: &str, operation: &str, facts: Value) -> Event {
    let mut facts = facts;
    facts["operation"] = json!(operation);
    Event {
        log: log.to_owned(),
        what: "access.denied denied".to_owned(),
        actor: format!("user {email}"),
        is_by_session: true,
        of: operation.to_owned(),
        details: json!({ "after": facts }),
        address: "127.0.0.1".to_owned(),
        label: email.to_owned(),
    }
}

/// The same without credentials.
pub(super) fn of_nobody(event: Event) -> Event {
    Event { actor: "anonymous".to_owned(), is_by_session: false, label: String::new(), ..event }
}

/// A failed login.
pub(super) fn refused(code: &str, account: &str) -> Event {
    let event = of_nobody(denied("PLATFORM", "", "", json!({})));
    let (what, of) = ("session.refused failure".to_owned(), account.to_owned());
    Event { what, of, details: json!({ "after": { "code": code } }), ..event }
}
