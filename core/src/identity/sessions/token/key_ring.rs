//! The keys that a process knows, opened, and the tokens it has verified with them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use moka::sync::Cache;
use serde_json::json;

use super::Claims;
use crate::{
    Result,
    base::crypto::MasterKey,
    storage::signing_keys::{self, SigningKey, State},
};

/// Most verified tokens remembered: verifying costs 40 times a look-up.
const REMEMBERED: u64 = 50_000;

/// What a process knows of the keys at one time. Never changed, only replaced: what was verified goes with the keys.
pub(super) struct Ring {
    /// Of the rows it was made from.
    kids: Vec<(String, State)>,
    keys: HashMap<String, Arc<Key>>,
    signer: Option<Arc<Key>>,
    /// By the SHA-256 of the token.
    pub(super) verified: Cache<[u8; 32], Claims>,
}

/// One key, ready for use.
pub(super) struct Key {
    pub(super) kid: String,
    public: [u8; 32],
    pub(super) signs: EncodingKey,
    pub(super) verifies: DecodingKey,
}

impl Default for Ring {
    fn default() -> Self {
        Self { kids: Vec::new(), keys: HashMap::new(), signer: None, verified: Cache::new(0) }
    }
}

impl Ring {
    /// The keys of `rows`. A row that does not open is told of and left out, unless `known` has its key: while
    /// `INSULA_SECRET_KEY` is replaced, processes that do not have the new one yet go on with the keys they know.
    pub(super) fn of(rows: &[SigningKey], master: &MasterKey, known: &Self, ttl: Duration) -> Self {
        let mut keys = HashMap::new();
        for row in rows {
            let same = known.keys.get(&row.kid).filter(|key| key.public == *row.public);
            match same.map_or_else(|| Key::open(master, row).map(Arc::new), |key| Ok(Arc::clone(key))) {
                Ok(key) => drop(keys.insert(row.kid.clone(), key)),
                Err(error) => {
                    tracing::error!(kid = row.kid, %error, "ignoring a signing key that cannot be used");
                }
            }
        }
        let active = rows.iter().find(|row| row.state == State::Active).and_then(|row| keys.get(&row.kid));
        let before = known.signer.as_ref().and_then(|key| keys.get(&key.kid));
        Self {
            signer: active.or(before).cloned(),
            keys,
            kids: rows.iter().map(|row| (row.kid.clone(), row.state)).collect(),
            verified: Cache::builder().max_capacity(REMEMBERED).time_to_live(ttl).build(),
        }
    }

    /// Was it made of the same rows?
    pub(super) fn is_of(&self, rows: &[SigningKey]) -> bool {
        self.kids.iter().map(|(kid, state)| (kid, *state)).eq(rows.iter().map(|row| (&row.kid, row.state)))
    }

    /// The key of that name.
    pub(super) fn key(&self, kid: &str) -> Option<&Key> {
        self.keys.get(kid).map(Arc::as_ref)
    }

    /// The key that signs.
    pub(super) fn signer(&self) -> Option<&Key> {
        self.signer.as_deref()
    }

    /// The public keys (RFC 8037 §2), the oldest first.
    pub(super) fn jwks(&self) -> serde_json::Value {
        let jwk = |key: &Arc<Key>| {
            let x = URL_SAFE_NO_PAD.encode(key.public);
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid, "x": x })
        };
        let keys: Vec<_> = self.kids.iter().filter_map(|(kid, _)| self.keys.get(kid)).map(jwk).collect();
        json!({ "keys": keys })
    }
}

impl Key {
    fn open(master: &MasterKey, row: &SigningKey) -> Result<Self> {
        let pair = signing_keys::open(master, row)?;
        Ok(Self {
            kid: pair.kid().to_owned(),
            public: pair.public(),
            signs: EncodingKey::from_ed_der(pair.private()?.expose()),
            verifies: DecodingKey::from_ed_der(&pair.public()),
        })
    }
}
