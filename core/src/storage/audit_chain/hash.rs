//! The hash of an event.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Result,
    base::crypto::hex,
    storage::audit::{Event, canonical},
};

/// The previous hash of the first event of a chain.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// All columns of an event except its hash, in version 1. `details` is the exact text.
#[derive(Serialize)]
struct Covered<'a> {
    action: &'a str,
    actor_id: Option<Uuid>,
    actor_kind: &'a str,
    details: &'a str,
    id: Uuid,
    occurred_at: String,
    organization_id: Uuid,
    outcome: &'a str,
    personal_hash: Option<&'a str>,
    request_id: Option<&'a str>,
    resource: &'a str,
    resource_id: Option<&'a str>,
    schema_version: i32,
    seq: i64,
    session_id: Option<Uuid>,
    trace_id: Option<&'a str>,
}

/// The hash that seals `event` as number `seq` of its chain, where `before` is the hash of the previous event. It is
/// the SHA-256 of `before` and the canonical JSON (RFC 8785) of the event, in hexadecimal.
///
/// # Errors
/// Only if the event has no JSON form.
pub fn hash(event: &Event, seq: i64, before: &str) -> Result<String> {
    let covered = canonical(&Covered {
        action: &event.action,
        actor_id: event.actor_id,
        actor_kind: &event.actor_kind,
        details: &event.details,
        id: event.id.0,
        occurred_at: instant(event.occurred_at),
        organization_id: event.organization_id.0,
        outcome: &event.outcome,
        personal_hash: event.personal_hash.as_deref(),
        request_id: event.request_id.as_deref(),
        resource: &event.resource,
        resource_id: event.resource_id.as_deref(),
        schema_version: event.schema_version,
        seq,
        session_id: event.session_id.map(|session| session.0),
        trace_id: event.trace_id.as_deref(),
    })?;
    Ok(hex(&Sha256::new().chain_update(before).chain_update(covered).finalize()))
}

/// An instant with exactly six fractional digits, so that it has one spelling.
pub(super) fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}
