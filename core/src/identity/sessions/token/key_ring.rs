//! The decrypted signing keys of a process, and the tokens that it has verified with them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{DecodingKey, EncodingKey};
use moka::sync::Cache;
use serde_json::json;

use super::Claims;
use crate::{
    Result,
    base::crypto::MasterKey,
    storage::signing_keys::{self, KeyState, SigningKey},
};

/// Maximum number of cached verified tokens. A verification costs as much as 40 lookups.
const MAX_VERIFIED: u64 = 50_000;

/// The keys that a process knows at one time. A key ring never changes. It is replaced together with its cache of verified
/// tokens.
pub(super) struct KeyRing {
    /// The key ids and states of the rows that it was made from.
    kids: Vec<(String, KeyState)>,
    keys: HashMap<String, Arc<JwtKey>>,
    signer: Option<Arc<JwtKey>>,
    /// Since when the active key signs.
    pub(super) signs_since: Option<DateTime<Utc>>,
    /// Claims of verified tokens, by the SHA-256 of the token.
    pub(super) verified: Cache<[u8; 32], Claims>,
}

/// One decrypted key.
pub(super) struct JwtKey {
    pub(super) kid: String,
    public: [u8; 32],
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
}

impl Default for KeyRing {
    fn default() -> Self {
        Self {
            kids: Vec::new(),
            keys: HashMap::new(),
            signer: None,
            signs_since: None,
            verified: Cache::new(0),
        }
    }
}

impl KeyRing {
    /// Decrypts the keys of `rows`. A row that cannot be decrypted is logged and left out, unless `known` has its key: while
    /// `INSULA_SECRET_KEY` is replaced, processes without the new one continue with the keys that they know.
    pub(super) fn of(rows: &[SigningKey], master: &MasterKey, known: &Self, ttl: Duration) -> Self {
        let mut keys = HashMap::new();
        for row in rows {
            let same = known.keys.get(&row.kid).filter(|key| key.public == *row.public);
            match same.map_or_else(|| JwtKey::open(master, row).map(Arc::new), |key| Ok(Arc::clone(key))) {
                Ok(key) => drop(keys.insert(row.kid.clone(), key)),
                Err(error) => {
                    tracing::error!(kid = row.kid, %error, "ignoring a signing key that cannot be used");
                }
            }
        }
        let active_row = rows.iter().find(|row| row.state == KeyState::Active);
        let active = active_row.and_then(|row| keys.get(&row.kid));
        let previous = known.signer.as_ref().and_then(|key| keys.get(&key.kid));
        Self {
            signer: active.or(previous).cloned(),
            signs_since: active_row.map(|row| row.activates_at),
            keys,
            kids: rows.iter().map(|row| (row.kid.clone(), row.state)).collect(),
            verified: Cache::builder().max_capacity(MAX_VERIFIED).time_to_live(ttl).build(),
        }
    }

    /// Returns whether it was made from the same rows.
    pub(super) fn is_of(&self, rows: &[SigningKey]) -> bool {
        self.kids.iter().map(|(kid, state)| (kid, *state)).eq(rows.iter().map(|row| (&row.kid, row.state)))
    }

    /// Returns the key with this key id.
    pub(super) fn key(&self, kid: &str) -> Option<&JwtKey> {
        self.keys.get(kid).map(Arc::as_ref)
    }

    /// Returns the key that signs. `None` if there is none.
    pub(super) fn signer(&self) -> Option<&JwtKey> {
        self.signer.as_deref()
    }

    /// Returns the public keys as a JSON Web Key Set (RFC 8037 §2), the oldest first.
    pub(super) fn jwks(&self) -> serde_json::Value {
        let jwk = |key: &Arc<JwtKey>| {
            let x = URL_SAFE_NO_PAD.encode(key.public);
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid, "x": x })
        };
        let keys: Vec<_> = self.kids.iter().filter_map(|(kid, _)| self.keys.get(kid)).map(jwk).collect();
        json!({ "keys": keys })
    }
}

impl JwtKey {
    fn open(master: &MasterKey, row: &SigningKey) -> Result<Self> {
        let pair = signing_keys::open(master, row)?;
        Ok(Self {
            kid: pair.kid().to_owned(),
            public: pair.public(),
            encoding: EncodingKey::from_ed_der(pair.private()?.expose()),
            decoding: DecodingKey::from_ed_der(&pair.public()),
        })
    }
}
