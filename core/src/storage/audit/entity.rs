//! Rows of `audit_events`. They are appended, sealed once and never changed.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{EventId, OrgId, SessionId},
    storage::db::{tenant_table, without_relations},
};

/// An audit event.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    /// Id of the event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    /// Organization that the log belongs to, or [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// When it happened.
    pub occurred_at: DateTimeUtc,
    /// `user`, `superuser`, `worker`, `system` or `anonymous`.
    pub actor_kind: String,
    /// Id of the user; `None` if the actor is not a user.
    pub actor_id: Option<Uuid>,
    /// Name of the action, `resource.verb`.
    pub action: String,
    /// Type of the resource.
    pub resource: String,
    /// Id of the resource.
    pub resource_id: Option<String>,
    /// `success`, `failure` or `denied`.
    pub outcome: String,
    /// Canonical JSON (RFC 8785): `before` and `after` of what changed.
    pub details: String,
    /// Session in which it was done.
    pub session_id: Option<SessionId>,
    /// Request in which it was done.
    pub request_id: Option<String>,
    /// Trace id (W3C Trace Context).
    pub trace_id: Option<String>,
    /// Version of the format of the event and of what its hash covers.
    pub schema_version: i32,
    /// Hash of the personal data ([`super::PersonalData`]); `None` if there was none.
    pub personal_hash: Option<String>,
    /// Position in the chain; `None` until the event is sealed.
    pub seq: Option<i64>,
    /// Hash of the previous event.
    pub prev_hash: Option<String>,
    /// Hash that seals the event.
    pub hash: Option<String>,
}

// The log has no references, so the rows that it names can be deleted.
without_relations!();

tenant_table!("audit event", deleted: None, affects_access: false);
