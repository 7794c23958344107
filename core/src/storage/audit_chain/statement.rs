//! Signed statements about events of a chain.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{checkpoint, hash::instant, head};
use crate::{
    Result,
    base::ids::OrgId,
    storage::{
        audit::canonical,
        signing_keys::{KeyPair, PublicKey},
    },
};

/// Prefix of signed messages, so that a signature is valid for nothing else.
const CONTEXT: &str = "insula audit statement 1\n";

/// The kind of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainStatementKind {
    /// This is the last event of the chain.
    Head,
    /// This event is in the chain.
    Periodic,
    /// This event is in the chain, and the events up to it may be deleted.
    Pruning,
}

impl ChainStatementKind {
    /// The kind in the database and in exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Periodic => "periodic",
            Self::Pruning => "pruning",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Head, Self::Periodic, Self::Pruning].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A statement about an event of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The kind of the statement.
    pub kind: ChainStatementKind,
    /// Organization of the chain.
    pub organization_id: OrgId,
    /// Number of the event.
    pub seq: i64,
    /// Hash of the event.
    pub hash: String,
    /// When it was signed.
    pub time: DateTime<Utc>,
}

/// A statement with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedStatement {
    /// The signed statement.
    #[serde(flatten)]
    pub statement: Statement,
    /// Id of the key that signed it.
    pub key_id: String,
    /// Ed25519 (RFC 8032) of a context and the canonical JSON (RFC 8785) of the statement; base64url.
    pub signature: String,
}

#[derive(Serialize)]
struct Covered<'a> {
    hash: &'a str,
    kind: &'static str,
    organization_id: OrgId,
    seq: i64,
    time: String,
}

impl Statement {
    /// Signs the statement with `key`.
    ///
    /// # Errors
    /// Only if it has no JSON form.
    pub fn sign(self, key: &KeyPair) -> Result<SignedStatement> {
        let signature = key.sign(&self.message()?);
        Ok(SignedStatement { key_id: key.kid().to_owned(), signature, statement: self })
    }

    pub(super) fn message(&self) -> Result<Vec<u8>> {
        let Self { kind, organization_id, seq, ref hash, time } = *self;
        let covered =
            canonical(&Covered { hash, kind: kind.as_str(), organization_id, seq, time: instant(time) })?;
        Ok([CONTEXT, &covered].concat().into_bytes())
    }
}

impl SignedStatement {
    /// Is the signature of one of `keys`, and the statement unaltered?
    pub fn is_genuine(&self, keys: &[PublicKey]) -> bool {
        let key = keys.iter().find(|key| key.kid() == self.key_id);
        let message = self.statement.message();
        key.zip(message.ok()).is_some_and(|(key, message)| key.verifies(&message, &self.signature))
    }

    /// The statement of a head; `None` before the first event.
    pub(super) fn of_head(head: &head::Model) -> Option<Self> {
        let statement = Statement {
            kind: ChainStatementKind::Head,
            organization_id: head.organization_id,
            seq: head.last_seq,
            hash: head.last_hash.clone(),
            time: head.sealed_at,
        };
        let signed = Self { statement, key_id: head.key_id.clone(), signature: head.signature.clone() };
        (head.last_seq > 0).then_some(signed)
    }
}

impl From<checkpoint::Model> for SignedStatement {
    fn from(row: checkpoint::Model) -> Self {
        let statement = Statement {
            // An unknown kind was altered. As `Head`, the signature is invalid.
            kind: ChainStatementKind::parse(&row.kind).unwrap_or(ChainStatementKind::Head),
            organization_id: row.organization_id,
            seq: row.seq,
            hash: row.hash,
            time: row.created_at,
        };
        Self { statement, key_id: row.key_id, signature: row.signature }
    }
}
