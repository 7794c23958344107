//! A log as a file: JSON lines that anybody can verify without the database.

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
        audit::{self, Action, Column, Details, Event, EventFilter, EventRecord, Personal, canonical},
        db::{Db, OrgTx},
    },
};

/// The form of the file.
pub const VERSION: u32 = 1;

/// Events that one transaction reads.
const BATCH: u64 = 1_000;

/// One line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExportLine {
    /// The first one of a whole log. A file without it is a selection, and nobody can say what is missing in it.
    Log {
        /// The form of the file.
        version: u32,
        /// Whose log.
        organization_id: OrgId,
        /// Events up to this number are not kept any more.
        pruned_seq: i64,
        /// What was signed of the log, the first one first.
        checkpoints: Vec<SignedStatement>,
    },
    /// An event.
    Event(Box<ExportedEvent>),
    /// The last one of a whole log that has any event: where it ends.
    Head(SignedStatement),
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedActor {
    /// `user`, `superuser`, `worker`, `system` or `anonymous`.
    pub kind: String,
    /// The person, where there is one.
    pub id: Option<Uuid>,
    /// What he was called; `None` also when it was erased.
    pub label: Option<String>,
}

/// An event as a file has it: everything that its hash covers, and what is personal of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedEvent {
    /// Its place in the chain.
    pub seq: Option<i64>,
    /// Its address.
    pub id: Uuid,
    /// Whose log.
    pub organization_id: OrgId,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Who acted.
    pub actor: ExportedActor,
    /// `noun.verb`.
    pub action: String,
    /// The noun.
    pub resource: String,
    /// Which one.
    pub resource_id: Option<String>,
    /// `success`, `failure` or `denied`.
    pub outcome: String,
    /// `before` and `after` of what changed.
    pub details: Value,
    /// From which address; `None` also when it was erased.
    pub ip: Option<String>,
    /// With which program; `None` also when it was erased.
    pub user_agent: Option<String>,
    /// By which log-in.
    pub session_id: Option<Uuid>,
    /// In which request.
    pub request_id: Option<String>,
    /// In which trace.
    pub trace_id: Option<String>,
    /// Of the form of the event.
    pub schema_version: i32,
    /// Of what is personal.
    pub personal_hash: Option<String>,
    /// What that was hashed with; `None` also when it was erased.
    pub salt: Option<String>,
    /// The hash of the event before.
    pub prev_hash: Option<String>,
    /// Its hash.
    pub hash: Option<String>,
}

impl From<EventRecord> for ExportedEvent {
    fn from(EventRecord { event, personal }: EventRecord) -> Self {
        let (salt, ip, user_agent, label) = match personal {
            Some(personal) => (Some(personal.salt), personal.ip, personal.user_agent, personal.label),
            None => (None, None, None, None),
        };
        // What is not JSON was altered; as a text it fits no hash.
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
    /// The event that it was.
    ///
    /// # Errors
    /// Only when `details` has no canonical form.
    pub fn told(self) -> Result<EventRecord> {
        let personal = Personal {
            id: EventId(self.id),
            organization_id: self.organization_id,
            salt: self.salt.clone().unwrap_or_default(),
            ip: self.ip,
            user_agent: self.user_agent,
            label: self.actor.label,
        };
        let is_there = self.salt.is_some()
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
        Ok(EventRecord { event, personal: is_there.then_some(personal) })
    }
}

/// Writes down that a log was exported, as what (`csv`, `jsonl`), and which part of it.
///
/// # Errors
/// Whatever the database refuses.
pub async fn note_export(tx: &OrgTx<AuditExport>, format: &str, filter: &EventFilter) -> Result<()> {
    let facts = json!({ "format": format, "from": filter.from, "to": filter.to });
    tx.record(Action::AuditExported, tx.org(), Details::created(facts)).await
}

/// A log that is being exported: what was sealed when it began, batch by batch.
pub struct AuditLogExport<P> {
    db: Db,
    proof: Authorized<P>,
    filter: EventFilter,
    claims: LogClaims,
    after: i64,
    is_begun: bool,
    is_over: bool,
}

impl<P: RequiredPermission> AuditLogExport<P> {
    /// Of the log that `proof` is for, only what `filter` wants.
    ///
    /// # Errors
    /// Whatever the database refuses; `Broken` when what was signed of the log cannot be read.
    pub async fn begin(db: &Db, proof: &Authorized<P>, filter: EventFilter) -> Result<Self> {
        let claims = read::claims(db, proof).await?;
        let claims = claims.map_err(|_| Error::Broken("cannot read a signed statement of an audit log"))?;
        let after = claims.pruned;
        let (db, proof) = (db.clone(), proof.duplicate());
        Ok(Self { db, proof, filter, claims, after, is_begun: false, is_over: false })
    }

    /// The next events; `None`: there are no more.
    ///
    /// # Errors
    /// Whatever the database refuses.
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

    /// The next lines; `None`: there are no more.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn lines(&mut self) -> Result<Option<Vec<ExportLine>>> {
        let is_whole = self.filter.is_empty();
        let mut lines = Vec::new();
        if !self.is_begun && is_whole {
            lines.push(ExportLine::Log {
                version: VERSION,
                organization_id: self.proof.org(),
                pruned_seq: self.claims.pruned,
                checkpoints: self.claims.checkpoints.clone(),
            });
        }
        self.is_begun = true;
        if self.is_over {
            return Ok(None);
        }
        match self.events().await? {
            Some(events) => {
                lines.extend(events.into_iter().map(|told| ExportLine::Event(Box::new(told.into()))));
            }
            None => {
                self.is_over = true;
                lines.extend(self.claims.head.take().filter(|_| is_whole).map(ExportLine::Head));
            }
        }
        Ok(Some(lines))
    }
}
