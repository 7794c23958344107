//! The audit log: looking into it, proving that it is whole, taking it along.

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
        pagination::Sort,
        permissions::{Authorized, RequiredPermission},
    },
    storage::audit::{self, Action, EventFilter, EventKey, EventRecord},
};
use poem::Request;
use poem_openapi::{Enum, Object, types::Any};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    http::{Cursor, Id, Limit, ListRequest, PageResponse},
    problem::Result,
    state::State,
};

crate::texts! {
    /// `noun.verb`.
    ActionName { length: 3..=100, pattern: r"^[a-z_]+\.[a-z_]+$", example: "project.updated" }
    /// A noun.
    ResourceName { length: 1..=100, pattern: "^[a-z_]+$", example: "project" }
    /// Which one of that noun; mostly an id.
    ResourceId { length: 1..=255, example: "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091" }
    /// An address of the internet protocol.
    IpAddress { length: 2..=45, example: "203.0.113.7" }
    /// SHA-256, in hexadecimal.
    Hash { length: 64..=64, pattern: "^[0-9a-f]{64}$", example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }
}

/// How it ended. `failure`: it was tried, and did not work; `denied`: it was refused to whoever may not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Success,
    Failure,
    Denied,
}

/// Who acts. `superuser`: an operator of the platform; `worker`, `system`: the program itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(super) enum ActorKind {
    User,
    SuperuserOnly,
    Worker,
    System,
    Anonymous,
}

/// Who acted.
#[derive(Object, Serialize)]
pub(super) struct EventActor {
    /// What he is.
    kind: ActorKind,
    /// The person, where there is one.
    #[oai(nullable)]
    id: Option<Uuid>,
    /// What he was called then; `null` also when it was erased.
    #[oai(nullable)]
    label: Option<String>,
}

/// What changed: the facts that differ. Without `before` there was nothing before; without `after` there is nothing any more.
#[derive(Object, Default, Serialize, Deserialize)]
struct EventChanges {
    /// What was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Any<Value>>,
    /// What is now; of what was tried: what it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Any<Value>>,
}

/// Something that happened.
#[derive(Object, Serialize)]
pub(super) struct AuditEvent {
    /// The event.
    id: Uuid,
    /// In whose log it stands; `null`: in the platform's own.
    #[oai(nullable)]
    organization_id: Option<Uuid>,
    /// Its place in the log; `null` until it is sealed, seconds later. Among one's own events (`/users/me/activity`), this and
    /// the hashes are `null` for those of the platform's log.
    #[oai(nullable)]
    seq: Option<i64>,
    /// When.
    occurred_at: DateTime<Utc>,
    /// Who.
    actor: EventActor,
    /// What.
    action: ActionName,
    /// To which noun.
    resource: ResourceName,
    /// To which one.
    #[oai(nullable)]
    resource_id: Option<String>,
    /// How it ended.
    outcome: Outcome,
    /// What changed.
    details: EventChanges,
    /// From which address; `null` also when it was erased.
    #[oai(nullable)]
    ip: Option<String>,
    /// With which program; `null` also when it was erased.
    #[oai(nullable)]
    user_agent: Option<String>,
    /// By which log-in.
    #[oai(nullable)]
    session_id: Option<Uuid>,
    /// In which request.
    #[oai(nullable)]
    request_id: Option<String>,
    /// In which trace (W3C Trace Context).
    #[oai(nullable)]
    trace_id: Option<String>,
    /// The hash of the event before; `null` until it is sealed.
    #[oai(nullable)]
    prev_hash: Option<Hash>,
    /// Its own, by which it is sealed; `null` until then.
    #[oai(nullable)]
    hash: Option<Hash>,
}

/// What a log is ordered by; `-`: from the last to the first.
#[derive(Clone, Copy, Debug, Enum)]
pub(super) enum EventSort {
    #[oai(rename = "occurred_at")]
    OccurredAt,
    #[oai(rename = "-occurred_at")]
    OccurredAtDescending,
}

impl EventSort {
    /// The newest first, unless it is said otherwise.
    pub(super) fn or_usual(sort: Option<Self>) -> Sort<EventKey> {
        let descending = !matches!(sort, Some(Self::OccurredAt));
        Sort { key: EventKey::OccurredAt, descending }
    }
}

/// Which events are wanted, as a query says it.
#[derive(Default)]
pub(super) struct EventQuery {
    pub(super) actor: Option<Id>,
    pub(super) action: Option<ActionName>,
    pub(super) resource: Option<ResourceName>,
    pub(super) resource_id: Option<ResourceId>,
    pub(super) ip: Option<IpAddress>,
    pub(super) outcome: Option<Outcome>,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
}

impl TryFrom<EventQuery> for EventFilter {
    type Error = Error;

    fn try_from(wanted: EventQuery) -> std::result::Result<Self, Error> {
        let mut fields = FieldErrors::default();
        let action = wanted.action.map(|action| Action::parse(&action.0));
        if action == Some(None) {
            fields.add("action", "UNKNOWN_REFERENCE", "There is no such action.");
        }
        // As it is written down: an address has many spellings.
        let ip = wanted.ip.map(|ip| ip.0.parse::<IpAddr>().map(|ip| ip.to_canonical().to_string()));
        if matches!(ip, Some(Err(_))) {
            fields.add(
                "ip",
                "INVALID_FORMAT",
                "Must be an IP address such as `203.0.113.7` or `2001:db8::7`.",
            );
        }
        if wanted.from.zip(wanted.to).is_some_and(|(from, to)| to <= from) {
            fields.add("to", "OUT_OF_RANGE", "Must be later than `from`.");
        }
        fields.into_result()?;
        Ok(Self {
            actor: wanted.actor.map(|id| UserId(id.0)),
            action: action.flatten(),
            resource: wanted.resource.map(|resource| resource.0),
            resource_id: wanted.resource_id.map(|id| id.0),
            ip: ip.and_then(std::result::Result::ok),
            outcome: wanted.outcome.map(Into::into),
            from: wanted.from,
            to: wanted.to,
        })
    }
}

/// One page of the log that `proof` is for.
pub(super) async fn page<P: RequiredPermission>(
    state: &State,
    request: &Request,
    proof: &Authorized<P>,
    wanted: EventQuery,
    (limit, sort, cursor): (Option<Limit>, Option<EventSort>, Option<Cursor>),
) -> Result<PageResponse<AuditEvent>> {
    let filter = EventFilter::try_from(wanted)?;
    let sort = EventSort::or_usual(sort);
    // The platform's own has an id too: its cursors are no tenant's.
    let list = format!("listAuditEvents {} {sort:?} {filter:?}", proof.org());
    let paging = ListRequest::new(&state.cursors, request, list, (limit, sort, cursor))?;
    let tx = audit::begin_read(&state.db, proof).await?;
    let page = audit::list(&tx, &filter, paging.listing.clone()).await?;
    Ok(paging.reply(page, AuditEvent::from))
}

impl From<Outcome> for audit::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Failure => Self::Failure,
            Outcome::Denied => Self::Denied,
        }
    }
}

impl From<EventRecord> for AuditEvent {
    fn from(EventRecord { event, personal }: EventRecord) -> Self {
        let (ip, user_agent, label) =
            personal.map_or_else(Default::default, |it| (it.ip, it.user_agent, it.label));
        let kind = match event.actor_kind.as_str() {
            "user" => ActorKind::User,
            "superuser" => ActorKind::SuperuserOnly,
            "worker" => ActorKind::Worker,
            "anonymous" => ActorKind::Anonymous,
            _ => ActorKind::System,
        };
        let outcome = match event.outcome.as_str() {
            "failure" => Outcome::Failure,
            "denied" => Outcome::Denied,
            _ => Outcome::Success,
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
