//! Rows of `audit_events`: appended, sealed once, never changed.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{EventId, OrgId, SessionId},
    storage::db::{tenant_table, without_relations},
};

/// One entry of an audit log.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    /// Its address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    /// Whose log; may be [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// When.
    pub occurred_at: DateTimeUtc,
    /// `user`, `superuser`, `worker`, `system` or `anonymous`.
    pub actor_kind: String,
    /// The person, where there is one.
    pub actor_id: Option<Uuid>,
    /// `noun.verb`.
    pub action: String,
    /// The noun.
    pub resource: String,
    /// Which one.
    pub resource_id: Option<String>,
    /// `success`, `failure` or `denied`.
    pub outcome: String,
    /// Canonical JSON (RFC 8785): `before` and `after` of what changed.
    pub details: String,
    /// By which log-in.
    pub session_id: Option<SessionId>,
    /// In which request.
    pub request_id: Option<String>,
    /// In which trace (W3C Trace Context).
    pub trace_id: Option<String>,
    /// Of the form of the event, and of what its hash covers.
    pub schema_version: i32,
    /// Of what is personal of it ([`super::Personal`]); `None`: nothing was.
    pub personal_hash: Option<String>,
    /// Its place in the chain; `None`: not sealed yet.
    pub seq: Option<i64>,
    /// The hash of the event before.
    pub prev_hash: Option<String>,
    /// Its hash, by which it is sealed.
    pub hash: Option<String>,
}

// The log refers to nothing, so nothing that it names has to stay.
without_relations!();

tenant_table!("audit event", deleted: None, affects_access: false);
