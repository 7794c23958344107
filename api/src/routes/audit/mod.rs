//! The audit log: read, verify and export it.

pub(super) mod activity;
pub(super) mod exports;
pub(super) mod log;
pub(super) mod verification;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{Error, FieldErrors},
        ids::UserId,
        permissions::{Authorized, RequiredPermission},
    },
    storage::audit::{self, Action, EventFilter, EventKey, EventRecord},
};
use poem::Request;
use poem_openapi::{
    Enum, Object,
    registry::MetaSchema,
    types::{Any, ParseError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    http::{Cursor, Id, Limit, ListRequest, PageResponse, sort_keys},
    problem::Result,
    schema::scalar,
    state::AppState,
};

crate::texts! {
    /// What happened, as type of object and verb, such as `project.updated`.
    ActionName { length: 3..=100, pattern: r"^[a-z_]+\.[a-z_]+$", example: "project.updated" }
    /// Type of an object, such as `project`.
    ResourceName { length: 1..=100, pattern: "^[a-z_]+$", example: "project" }
    /// Id of the object. Some types of objects are identified by another text.
    ResourceId { length: 1..=255, example: "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091" }
    /// Id of a request, as in `X-Request-Id`.
    RequestIdText { length: 1..=128, pattern: "^[A-Za-z0-9._-]+$", example: "5f2b8c9d0e1a4b3c8d7e6f5a4b3c2d1e" }
    /// An IP address, IPv4 or IPv6.
    IpAddress { length: 2..=45, example: "203.0.113.7" }
    /// SHA-256 hash in lower-case hexadecimal.
    Hash { length: 64..=64, pattern: "^[0-9a-f]{64}$", example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }
}

/// Outcome of an event: `success` (it was done), `failure` (it was tried and did not work) or `denied` (it
/// was refused because a permission was missing).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "Outcome")]
#[serde(rename_all = "snake_case")]
pub(super) enum EventOutcome {
    Success,
    Failure,
    Denied,
}

/// Kind of actor: `user`, `superuser` (a platform administrator), `worker` (a background job), `system` (the
/// program itself) or `anonymous` (a request without login).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(super) enum ActorKind {
    User,
    Superuser,
    Worker,
    System,
    Anonymous,
}

/// The actor of an audit event.
#[derive(Object, Serialize)]
pub(super) struct EventActor {
    /// Kind of the actor.
    kind: ActorKind,
    /// Id of the user. `null`: the actor is not a user.
    #[oai(nullable)]
    id: Option<Uuid>,
    /// Name of the actor at that time. `null`: there was none, or it was erased.
    #[oai(nullable)]
    label: Option<String>,
}

/// What an event changed: the fields that differ. `before` is absent if the object was created, and `after`
/// if it was deleted.
#[derive(Object, Default, Serialize, Deserialize)]
struct EventChanges {
    /// Values before the event. Absent if the object was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Any<Value>>,
    /// Values after the event, or details of a failed or denied attempt. Absent if the object was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Any<Value>>,
}

/// An audit event: an entry of the audit log.
#[derive(Object, Serialize)]
pub(super) struct AuditEvent {
    /// Unique id of the event.
    id: Uuid,
    /// The organization whose audit log has the event. `null`: the audit log of the platform.
    #[oai(nullable)]
    organization_id: Option<Uuid>,
    /// Sequence number in the log. `null` until the event is sealed, a few seconds later. In
    /// `/users/me/activity`, this and the hashes are `null` for events of the platform's log.
    #[oai(nullable)]
    seq: Option<i64>,
    /// When the event happened.
    occurred_at: DateTime<Utc>,
    /// The actor: who caused the event.
    actor: EventActor,
    /// What happened, such as `project.updated`.
    action: ActionName,
    /// Type of the object.
    resource: ResourceName,
    /// Id of the object. `null`: the event concerns no single object.
    #[oai(nullable)]
    resource_id: Option<String>,
    /// Outcome of the event.
    outcome: EventOutcome,
    /// What the event changed.
    details: EventChanges,
    /// IP address of the client. `null`: there was none, or it was erased.
    #[oai(nullable)]
    ip: Option<String>,
    /// `User-Agent` header of the client. `null`: there was none, or it was erased.
    #[oai(nullable)]
    user_agent: Option<String>,
    /// The session in which it was done. `null`: no session.
    #[oai(nullable)]
    session_id: Option<Uuid>,
    /// Id of the request. `null`: it did not happen in a request.
    #[oai(nullable)]
    request_id: Option<String>,
    /// Id of the trace (W3C Trace Context). `null`: no trace.
    #[oai(nullable)]
    trace_id: Option<String>,
    /// Hash of the previous event. `null` until the event is sealed.
    #[oai(nullable)]
    prev_hash: Option<Hash>,
    /// Hash of this event, which seals it. `null` until the event is sealed.
    #[oai(nullable)]
    hash: Option<Hash>,
}

sort_keys! {
    pub(super) EventSort of EventKey;
    occurred_at: OccurredAt,
}

/// The default sort order.
const NEWEST_FIRST: EventSort = EventSort::descending(EventKey::OccurredAt);

/// Sequence number of an audit event in its log.
#[derive(Clone, Copy, Debug)]
pub(super) struct SequenceNumber(i64);

scalar!(
    SequenceNumber,
    MetaSchema { minimum: Some(1.0), format: Some("int64"), ..MetaSchema::new("integer") },
    |text| {
        let seq = text.parse().ok().filter(|seq| *seq >= 1);
        seq.map(Self).ok_or_else(|| ParseError::custom("expected a number from 1"))
    }
);

/// The filters of a query for audit events.
#[derive(Default)]
pub(super) struct EventQuery {
    pub(super) actor: Option<Id>,
    pub(super) actions: Option<Vec<ActionName>>,
    pub(super) resource: Option<ResourceName>,
    pub(super) resource_id: Option<ResourceId>,
    pub(super) ip: Option<IpAddress>,
    pub(super) outcome: Option<EventOutcome>,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
    pub(super) seq_from: Option<SequenceNumber>,
    pub(super) seq_to: Option<SequenceNumber>,
    pub(super) request_id: Option<RequestIdText>,
}

impl TryFrom<EventQuery> for EventFilter {
    type Error = Error;

    fn try_from(wanted: EventQuery) -> std::result::Result<Self, Error> {
        let mut fields = FieldErrors::default();
        let actions = wanted.actions.map(|names| {
            let parse = |(at, name): (usize, &ActionName)| {
                let action = Action::parse(&name.0);
                if action.is_none() {
                    fields.add(&format!("action[{at}]"), "UNKNOWN_REFERENCE", "There is no such action.");
                }
                action
            };
            names.iter().enumerate().filter_map(parse).collect()
        });
        // In canonical form, as it is stored: an IP address has several spellings.
        let ip = wanted.ip.map(|ip| ip.0.parse::<IpAddr>().map(|ip| ip.to_canonical().to_string()));
        if matches!(ip, Some(Err(_))) {
            fields.add("ip", "INVALID_FORMAT", "Must be an IP address such as 203.0.113.7 or 2001:db8::7.");
        }
        if wanted.from.zip(wanted.to).is_some_and(|(from, to)| to <= from) {
            fields.add("to", "OUT_OF_RANGE", "Must be later than the start of the range.");
        }
        let (seq_from, seq_to) = (wanted.seq_from.map(|seq| seq.0), wanted.seq_to.map(|seq| seq.0));
        if seq_from.zip(seq_to).is_some_and(|(from, to)| to < from) {
            fields.add("seq_to", "OUT_OF_RANGE", "Must not be less than the start of the range.");
        }
        fields.into_result()?;
        Ok(Self {
            actor: wanted.actor.map(|id| UserId(id.0)),
            actions,
            resource: wanted.resource.map(|resource| resource.0),
            resource_id: wanted.resource_id.map(|id| id.0),
            ip: ip.and_then(std::result::Result::ok),
            outcome: wanted.outcome.map(Into::into),
            from: wanted.from,
            to: wanted.to,
            seq_from,
            seq_to,
            request_id: wanted.request_id.map(|id| id.0),
        })
    }
}

/// One page of the audit log that `proof` gives access to.
pub(super) async fn page<P: RequiredPermission>(
    state: &AppState,
    request: &Request,
    proof: &Authorized<P>,
    wanted: EventQuery,
    (limit, sort, cursor): (Option<Limit>, Option<EventSort>, Option<Cursor>),
) -> Result<PageResponse<AuditEvent>> {
    let filter = EventFilter::try_from(wanted)?;
    let sort = sort.unwrap_or(NEWEST_FIRST);
    // The log of the platform has an id of its own, so its cursors fit no organization.
    let paging = ListRequest::new(&state.cursors, request, (proof.org(), &filter), (limit, sort, cursor))?;
    let tx = audit::begin_read(&state.db, proof).await?;
    let page = audit::list(&tx, &filter, paging.listing.clone()).await?;
    Ok(paging.reply(page, AuditEvent::from))
}

impl From<EventOutcome> for audit::AuditOutcome {
    fn from(outcome: EventOutcome) -> Self {
        match outcome {
            EventOutcome::Success => Self::Success,
            EventOutcome::Failure => Self::Failure,
            EventOutcome::Denied => Self::Denied,
        }
    }
}

impl From<EventRecord> for AuditEvent {
    fn from(EventRecord { event, personal }: EventRecord) -> Self {
        let (ip, user_agent, label) =
            personal.map_or_else(Default::default, |it| (it.ip, it.user_agent, it.label));
        let kind = match event.actor_kind.as_str() {
            "user" => ActorKind::User,
            "superuser" => ActorKind::Superuser,
            "worker" => ActorKind::Worker,
            "anonymous" => ActorKind::Anonymous,
            _ => ActorKind::System,
        };
        let outcome = match event.outcome.as_str() {
            "failure" => EventOutcome::Failure,
            "denied" => EventOutcome::Denied,
            _ => EventOutcome::Success,
        };
        Self {
            id: event.id.0,
            organization_id: Some(event.organization_id.0).filter(|id| !id.is_nil()),
            seq: event.seq,
            occurred_at: event.occurred_at,
            actor: EventActor { kind, id: event.actor_id, label },
            action: ActionName(event.action),
            resource: ResourceName(event.resource),
            resource_id: event.resource_id,
            outcome,
            details: serde_json::from_str(&event.details).unwrap_or_default(),
            ip,
            user_agent,
            session_id: event.session_id.map(|session| session.0),
            request_id: event.request_id,
            trace_id: event.trace_id,
            prev_hash: event.prev_hash.map(Hash),
            hash: event.hash.map(Hash),
        }
    }
}
