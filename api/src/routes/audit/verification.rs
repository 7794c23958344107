//! `/organizations/{org}/audit/…`: verification of the audit log.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::permissions::AuditRead,
    storage::audit_chain::{self, ChainBreak, SignedStatement, VerificationReport},
};
use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;

use super::{super::Tag, Hash};
use crate::{
    auth::tenant,
    http::{JsonResponse, Sentence},
    problem::Result,
    state::AppState,
};

pub struct AuditVerificationApi(pub Arc<AppState>);

crate::texts! {
    /// Id of a signing key, as in `/.well-known/audit-keys.json`.
    KeyId { length: 11..=11, example: "x3Vb2h0Jk1E" }
    /// Ed25519 signature in base64url.
    Signature { length: 86..=86, example: "kEm3u5v0n4b7Dq2bYp0lqg3x2yC5c1Vn2n8o3rXyKqf1T5m9wJb0aQ4eZs6uHt7LdR8iGjPkN2vWxCyB1oM_Aw" }
}

/// What a checkpoint states: `periodic` (this event is in the log), `pruning` (this event is in the log, and
/// the events up to it may have been removed) or `head` (this is the last event).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum StatementKind {
    Periodic,
    Pruning,
    Head,
}

/// A signed statement about the state of an audit log. It is signed with Ed25519 (RFC 8032) and a key of
/// `/.well-known/audit-keys.json`.
#[derive(Object, Serialize)]
struct Checkpoint {
    /// What the checkpoint states.
    kind: StatementKind,
    /// Sequence number of the event.
    seq: i64,
    /// Hash of the event.
    hash: Hash,
    /// When the checkpoint was signed.
    time: DateTime<Utc>,
    /// Id of the key that signed it.
    key_id: KeyId,
    /// Ed25519 signature in base64url.
    signature: Signature,
}

/// The checkpoints of an audit log.
#[derive(Object, Serialize)]
struct Checkpoints {
    /// The checkpoints, oldest first.
    data: Vec<Checkpoint>,
}

/// The last sealed event of an audit log.
#[derive(Object, Serialize)]
struct AuditLogHead {
    /// Sequence number of the last event.
    seq: i64,
    /// Hash of the last event.
    hash: Hash,
}

/// Why an audit log is invalid: `altered` (an event was changed), `personal_altered` (the IP address, user
/// agent or name of an event was changed), `missing` (events are missing), `added` (there are events that
/// were never sealed), `rewritten` (events do not match the signed log) or `forged` (a signature is invalid).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum BreakReason {
    Altered,
    PersonalAltered,
    Missing,
    Added,
    Rewritten,
    Forged,
}

/// The result of verifying an audit log.
#[derive(Object, Serialize)]
pub(in crate::routes) struct Verification {
    /// Whether the audit log is complete and unchanged. Events of the last seconds that are not sealed yet
    /// are not included.
    valid: bool,
    /// Number of events verified, up to the first invalid one.
    events: u64,
    /// Number of verified events whose personal data was erased. This is not an error.
    erased: u64,
    /// Sequence number of the first event that is still stored. Earlier events are past their retention time.
    from_seq: i64,
    /// Sequence number of the first event that is or may be wrong. `null`: the log is valid.
    #[oai(nullable)]
    first_bad_seq: Option<i64>,
    /// Sequence number of the last event that may be wrong for the same reason. `null`: the log is valid.
    #[oai(nullable)]
    last_bad_seq: Option<i64>,
    /// Why the log is invalid. `null`: the log is valid.
    #[oai(nullable)]
    reason: Option<BreakReason>,
    /// The reason as a sentence, for people. `null`: the log is valid.
    #[oai(nullable)]
    message: Option<Sentence>,
    /// The last sealed event. `null`: nothing is sealed yet, or its signature is invalid.
    #[oai(nullable)]
    head: Option<AuditLogHead>,
    /// The last verified checkpoint. `null`: no checkpoint was verified.
    #[oai(nullable)]
    checkpoint: Option<Checkpoint>,
}

#[OpenApi(tag = "Tag::Audit")]
impl AuditVerificationApi {
    /// Verify the audit log
    ///
    /// Compares every event with its hash, and the log with its signed checkpoints. The response says whether
    /// the log is complete and unchanged, and otherwise where it is not.
    #[oai(path = "/organizations/:org/audit/verify", method = "get", operation_id = "verifyAuditLog")]
    async fn verify(&self, org: tenant::Path<AuditRead>) -> Result<JsonResponse<Verification>> {
        Ok(JsonResponse(audit_chain::verify(&self.0.db, &self.0.signer, &org.0).await?.into()))
    }

    /// List audit checkpoints
    ///
    /// Returns all signed checkpoints of the audit log, oldest first. You can verify them with the keys of
    /// `/.well-known/audit-keys.json`.
    #[oai(
        path = "/organizations/:org/audit/checkpoints",
        method = "get",
        operation_id = "listAuditCheckpoints"
    )]
    async fn checkpoints(&self, org: tenant::Path<AuditRead>) -> Result<JsonResponse<Checkpoints>> {
        let checkpoints = audit_chain::checkpoints(&self.0.db.begin(org.0).await?).await?;
        let data = checkpoints.into_iter().map(|row| SignedStatement::from(row).into()).collect();
        Ok(JsonResponse(Checkpoints { data }))
    }
}

impl From<SignedStatement> for Checkpoint {
    fn from(SignedStatement { statement, key_id, signature }: SignedStatement) -> Self {
        let kind = match statement.kind {
            audit_chain::ChainStatementKind::Head => StatementKind::Head,
            audit_chain::ChainStatementKind::Periodic => StatementKind::Periodic,
            audit_chain::ChainStatementKind::Pruning => StatementKind::Pruning,
        };
        let (seq, hash, time) = (statement.seq, Hash(statement.hash), statement.time);
        let (key_id, signature) = (KeyId(key_id), Signature(signature));
        Self { kind, seq, hash, time, key_id, signature }
    }
}

impl From<audit_chain::BreakReason> for BreakReason {
    fn from(why: audit_chain::BreakReason) -> Self {
        match why {
            audit_chain::BreakReason::Altered => Self::Altered,
            audit_chain::BreakReason::PersonalAltered => Self::PersonalAltered,
            audit_chain::BreakReason::Missing => Self::Missing,
            audit_chain::BreakReason::Added => Self::Added,
            audit_chain::BreakReason::Rewritten => Self::Rewritten,
            audit_chain::BreakReason::Forged => Self::Forged,
        }
    }
}

impl From<VerificationReport> for Verification {
    fn from(report: VerificationReport) -> Self {
        let broken = report.broken;
        Self {
            valid: broken.is_none(),
            events: report.events,
            erased: report.erased,
            from_seq: report.from,
            first_bad_seq: broken.map(|ChainBreak { first, .. }| first),
            last_bad_seq: broken.map(|ChainBreak { last, .. }| last),
            reason: broken.map(|ChainBreak { why, .. }| why.into()),
            message: broken.map(|ChainBreak { why, .. }| Sentence(why.sentence().to_owned())),
            head: report
                .head
                .map(|head| AuditLogHead { seq: head.statement.seq, hash: Hash(head.statement.hash) }),
            checkpoint: report.checkpoint.map(Into::into),
        }
    }
}
