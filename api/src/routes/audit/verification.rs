//! `/organizations/{org}/audit/…`: is the log whole?

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
    state::State,
};

pub struct AuditVerificationApi(pub Arc<State>);

crate::texts! {
    /// The name of a key.
    KeyId { length: 11..=11, example: "x3Vb2h0Jk1E" }
    /// Ed25519, base64url.
    Signature { length: 86..=86, example: "kEm3u5v0n4b7Dq2bYp0lqg3x2yC5c1Vn2n8o3rXyKqf1T5m9wJb0aQ4eZs6uHt7LdR8iGjPkN2vWxCyB1oM_Aw" }
}

/// What is stated. `periodic`: this event is in the log; `pruning`: and those up to it may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum StatementKind {
    Periodic,
    Pruning,
    Head,
}

/// A signed statement of what a log had come to: Ed25519 (RFC 8032), with a key of `/.well-known/audit-keys.json`.
#[derive(Object, Serialize)]
struct Checkpoint {
    /// What is stated.
    kind: StatementKind,
    /// The number of an event.
    seq: i64,
    /// Its hash.
    hash: Hash,
    /// When it was stated.
    time: DateTime<Utc>,
    /// Which key signed it.
    key_id: KeyId,
    /// The signature, base64url.
    signature: Signature,
}

/// Every checkpoint, the first one first.
#[derive(Object, Serialize)]
struct Checkpoints {
    /// The checkpoints.
    data: Vec<Checkpoint>,
}

/// The end of a log.
#[derive(Object, Serialize)]
struct AuditLogHead {
    /// The number of its last event.
    seq: i64,
    /// The hash of that.
    hash: Hash,
}

/// What is wrong.
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

/// Is a log whole, and where is it not?
#[derive(Object, Serialize)]
pub(in crate::routes) struct Verification {
    /// Is it whole? What waits to be sealed, for seconds, is not in it yet.
    valid: bool,
    /// How many events were looked at: up to where it is broken.
    events: u64,
    /// Of how many of them what was personal has been erased, which is no fault.
    erased: u64,
    /// The number of the first event there should be: those before are not kept any more.
    from_seq: i64,
    /// The first event that is, or may be, wrong.
    #[oai(nullable)]
    first_bad_seq: Option<i64>,
    /// The last one that may be wrong for the same reason.
    #[oai(nullable)]
    last_bad_seq: Option<i64>,
    /// What is wrong.
    #[oai(nullable)]
    reason: Option<BreakReason>,
    /// That in a sentence, for people.
    #[oai(nullable)]
    message: Option<Sentence>,
    /// The end of the log; `null`: nothing is sealed yet, or its signature is not genuine.
    #[oai(nullable)]
    head: Option<AuditLogHead>,
    /// The last checkpoint that was verified.
    #[oai(nullable)]
    checkpoint: Option<Checkpoint>,
}

#[OpenApi(tag = "Tag::Audit")]
impl AuditVerificationApi {
    /// Prove that the log is whole
    ///
    /// Every event is compared with its seal, and the log with what was signed of it.
    #[oai(path = "/organizations/:org/audit/verify", method = "get", operation_id = "verifyAuditLog")]
    async fn verify(&self, org: tenant::Path<AuditRead>) -> Result<JsonResponse<Verification>> {
        Ok(JsonResponse(audit_chain::verify(&self.0.db, &self.0.signer, &org.0).await?.into()))
    }

    /// List what was signed of the log
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
            audit_chain::Kind::Head => StatementKind::Head,
            audit_chain::Kind::Periodic => StatementKind::Periodic,
            audit_chain::Kind::Pruning => StatementKind::Pruning,
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
