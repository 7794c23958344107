//! Exports a log as JSON lines, which can be verified without the database.

use chrono::{DateTime, Utc};
use sea_orm::ColumnTrait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    read::{self, LogClaims},
    statement::SignedStatement,
};
use crate::{
    Error, Result,
    base::{
        ids::{EventId, OrgId, SessionId},
        permissions::{AuditExport, Authorized, RequiredPermission},
    },
    storage::{
        audit::{
            self, Action, Column, Event, EventDetails, EventFilter, EventRecord, PersonalData, canonical,
        },
        db::{Db, OrgTx},
    },
};

/// Version of the file format.
pub const VERSION: u32 = 1;

/// Maximum number of events that one transaction reads.
const BATCH: u64 = 1_000;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExportLine {
    /// The first line of a complete log. A file without it is a selection, in which missing events cannot be detected.
    Log {
        /// Version of the file format.
        version: u32,
        /// Organization that the log belongs to.
        organization_id: OrgId,
        /// Events up to this number were deleted.
        pruned_seq: i64,
        /// The checkpoints of the log, the oldest first.
        checkpoints: Vec<SignedStatement>,
    },
    /// An event.
    Event(Box<ExportedEvent>),
    /// The last line of a complete log with at least one event: the signed end of the log.
    Head(SignedStatement),
}

/// The actor of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedActor {
    /// `user`, `superuser`, `worker`, `system` or `anonymous`.
    pub kind: String,
    /// Id of the user; `None` if the actor is not a user.
    pub id: Option<Uuid>,
    /// E-mail address at that time; `None` also if it was erased.
    pub label: Option<String>,
}

/// An exported event: everything that its hash covers, and its personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedEvent {
    /// Position in the chain; `None` if the event is not sealed.
    pub seq: Option<i64>,
    /// Id of the event.
    pub id: Uuid,
    /// Organization that the log belongs to.
    pub organization_id: OrgId,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Who did it.
    pub actor: ExportedActor,
    /// Name of the action, `resource.verb`.
    pub action: String,
    /// Type of the resource.
    pub resource: String,
    /// Id of the resource.
    pub resource_id: Option<String>,
    /// `success`, `failure` or `denied`.
    pub outcome: String,
    /// `before` and `after` of what changed.
    pub details: Value,
    /// IP address of the client; `None` also if it was erased.
    pub ip: Option<String>,
    /// User agent of the client; `None` also if it was erased.
    pub user_agent: Option<String>,
    /// Session in which it was done.
    pub session_id: Option<Uuid>,
    /// Request in which it was done.
    pub request_id: Option<String>,
    /// Trace id of the request.
    pub trace_id: Option<String>,
    /// Version of the format of the event.
    pub schema_version: i32,
    /// Hash of the personal data.
    pub personal_hash: Option<String>,
    /// Salt of that hash; `None` also if it was erased.
    pub salt: Option<String>,
    /// Hash of the previous event.
    pub prev_hash: Option<String>,
    /// Hash of the event.
    pub hash: Option<String>,
}

impl From<EventRecord> for ExportedEvent {
    fn from(EventRecord { event, personal }: EventRecord) -> Self {
        let (salt, ip, user_agent, label) = match personal {
            Some(personal) => (Some(personal.salt), personal.ip, personal.user_agent, personal.label),
            None => (None, None, None, None),
        };
        // Details that are not JSON were altered. As a string, they match no hash.
        let details = serde_json::from_str(&event.details).unwrap_or(Value::String(event.details));
        Self {
            seq: event.seq,
            id: event.id.0,
            organization_id: event.organization_id,
            occurred_at: event.occurred_at,
            actor: ExportedActor { kind: event.actor_kind, id: event.actor_id, label },
            action: event.action,
            resource: event.resource,
            resource_id: event.resource_id,
            outcome: event.outcome,
            details,
            ip,
            user_agent,
            session_id: event.session_id.map(|session| session.0),
            request_id: event.request_id,
            trace_id: event.trace_id,
            schema_version: event.schema_version,
            personal_hash: event.personal_hash,
            salt,
            prev_hash: event.prev_hash,
            hash: event.hash,
        }
    }
}

impl ExportedEvent {
    /// Converts the line back to the event.
    ///
    /// # Errors
    /// Only if `details` has no canonical form.
    pub fn into_record(self) -> Result<EventRecord> {
        let personal = PersonalData {
            id: EventId(self.id),
            organization_id: self.organization_id,
            salt: self.salt.clone().unwrap_or_default(),
            ip: self.ip,
            user_agent: self.user_agent,
            label: self.actor.label,
        };
        let has_personal_data = self.salt.is_some()
            || [&personal.ip, &personal.user_agent, &personal.label].iter().any(|part| part.is_some());
        let event = Event {
            id: EventId(self.id),
            organization_id: self.organization_id,
            occurred_at: self.occurred_at,
            actor_kind: self.actor.kind,
            actor_id: self.actor.id,
            action: self.action,
            resource: self.resource,
            resource_id: self.resource_id,
            outcome: self.outcome,
            details: canonical(&self.details)?,
            session_id: self.session_id.map(SessionId),
            request_id: self.request_id,
            trace_id: self.trace_id,
            schema_version: self.schema_version,
            personal_hash: self.personal_hash,
            seq: self.seq,
            prev_hash: self.prev_hash,
            hash: self.hash,
        };
        Ok(EventRecord { event, personal: has_personal_data.then_some(personal) })
    }
}

/// Records that a part of a log was exported in this format (`csv`, `jsonl`).
///
/// # Errors
/// Database errors.
pub async fn record_export(tx: &OrgTx<AuditExport>, format: &str, filter: &EventFilter) -> Result<()> {
    let actions = filter.actions.as_ref().map(|all| all.iter().map(|one| one.as_str()).collect::<Vec<_>>());
    let facts = json!({
        "format": format,
        "from": filter.from,
        "to": filter.to,
        "seq_from": filter.seq_from,
        "seq_to": filter.seq_to,
        "request_id": filter.request_id,
        "actions": actions,
    });
    tx.record(Action::AuditExported, tx.org(), EventDetails::created(facts)).await
}

/// A running export of a log, in batches. It contains what was sealed when it began.
pub struct AuditLogExport<P> {
    db: Db,
    proof: Authorized<P>,
    filter: EventFilter,
    claims: LogClaims,
    after: i64,
    has_begun: bool,
    has_ended: bool,
}

impl<P: RequiredPermission> AuditLogExport<P> {
    /// Begins to export the log that `proof` is for, restricted to `filter`.
    ///
    /// # Errors
    /// Database errors; `Broken` if a signed statement of the log cannot be read.
    pub async fn begin(db: &Db, proof: &Authorized<P>, filter: EventFilter) -> Result<Self> {
        let claims = read::claims(db, proof).await?;
        let claims = claims.map_err(|_| Error::Internal("cannot read a signed statement of an audit log"))?;
        let after = claims.pruned;
        let (db, proof) = (db.clone(), proof.duplicate());
        Ok(Self { db, proof, filter, claims, after, has_begun: false, has_ended: false })
    }

    /// The next events; `None` at the end.
    ///
    /// # Errors
    /// Database errors.
    pub async fn events(&mut self) -> Result<Option<Vec<EventRecord>>> {
        let end = self.claims.head.as_ref().map_or(0, |head| head.statement.seq);
        let tx = self.db.begin_read(&self.proof).await?;
        let sealed =
            tx.find::<audit::Entity>().filter(Column::Seq.gt(self.after)).filter(Column::Seq.lte(end));
        let events = self.filter.narrow(sealed).first(Column::Seq, BATCH).await?;
        let Some(last) = events.last().and_then(|event| event.seq) else { return Ok(None) };
        self.after = last;
        audit::with_personal(&tx, events).await.map(Some)
    }

    /// The next lines; `None` at the end.
    ///
    /// # Errors
    /// Database errors.
    pub async fn lines(&mut self) -> Result<Option<Vec<ExportLine>>> {
        let is_whole = self.filter.is_empty();
        let mut lines = Vec::new();
        if !self.has_begun && is_whole {
            lines.push(ExportLine::Log {
                version: VERSION,
                organization_id: self.proof.org(),
                pruned_seq: self.claims.pruned,
                checkpoints: self.claims.checkpoints.clone(),
            });
        }
        self.has_begun = true;
        if self.has_ended {
            return Ok(None);
        }
        match self.events().await? {
            Some(events) => {
                lines.extend(events.into_iter().map(|record| ExportLine::Event(Box::new(record.into()))));
            }
            None => {
                self.has_ended = true;
                lines.extend(self.claims.head.take().filter(|_| is_whole).map(ExportLine::Head));
            }
        }
        Ok(Some(lines))
    }
}
