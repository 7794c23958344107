//! Signed statements of what a chain has come to.

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

/// What a signature is of, so that it is none of anything else.
const CONTEXT: &str = "insula audit statement 1\n";

/// What is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// This is the last event.
    Head,
    /// This event is in the chain.
    Periodic,
    /// This event is in the chain, and those up to it may be gone.
    Pruning,
}

impl Kind {
    /// As it is stored and shown.
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

/// What a chain had come to at some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// What is stated.
    pub kind: Kind,
    /// Of whose chain.
    pub organization_id: OrgId,
    /// The number of an event.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// When it was stated.
    pub time: DateTime<Utc>,
}

/// A statement with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedStatement {
    /// What is stated.
    #[serde(flatten)]
    pub statement: Statement,
    /// Which key signed it.
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
    /// Signed with `key`.
    ///
    /// # Errors
    /// Only when it has no JSON form.
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
    /// Is it of one of `keys`, and unaltered?
    pub fn is_genuine(&self, keys: &[PublicKey]) -> bool {
        let key = keys.iter().find(|key| key.kid() == self.key_id);
        let message = self.statement.message();
        key.zip(message.ok()).is_some_and(|(key, message)| key.verifies(&message, &self.signature))
    }

    /// That of a head; `None` before the first event.
    pub(super) fn of_head(head: &head::Model) -> Option<Self> {
        let statement = Statement {
            kind: Kind::Head,
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
            // What is no kind was altered: as a head it verifies no more.
            kind: Kind::parse(&row.kind).unwrap_or(Kind::Head),
            organization_id: row.organization_id,
            seq: row.seq,
            hash: row.hash,
            time: row.created_at,
        };
        Self { statement, key_id: row.key_id, signature: row.signature }
    }
}
