//! Access tokens: JWT (RFC 9068) signed with EdDSA (RFC 8037). A service that verifies tokens cannot issue them.

mod key_ring;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header, Validation};
use key_ring::KeyRing;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{
    Error, Result,
    base::{
        crypto::MasterKey,
        error::ErrorCode,
        ids::{SessionId, UserId},
    },
    storage::{db::Db, signing_keys},
};

/// The media type of access tokens (RFC 9068 §2.1).
const TYPE: &str = "at+jwt";
/// The audience of the tokens.
const AUDIENCE: &str = "insula";
/// Seconds by which a token may seem to come from the future. Servers use the clock of the database, so their clocks
/// differ only while one of them has not been able to read it yet.
const MAX_CLOCK_SKEW: i64 = 60;
/// Minimum time between two reloads that tokens with unknown keys cause, so that many such tokens cost one query per
/// second. A key that is published at least this long before it signs (`INSULA_KEY_LEAD`) is never missed.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// The contents of a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The generation of the session's refresh token with which it was issued. 0 in tokens of versions without this claim.
    pub generation: i64,
    /// When it expires, in Unix seconds.
    expires: i64,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    /// A private claim; see [`Claims::generation`].
    #[serde(default, rename = "gen")]
    generation: i64,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// A new access token.
#[derive(Clone)]
pub struct AccessToken {
    /// The token in its serialized form.
    pub token: String,
    /// Lifetime in seconds.
    pub expires_in: u64,
}

/// Why a token is rejected.
enum TokenError {
    /// Its key is not in the key ring. The key may be newer.
    UnknownKey,
    /// The token is not valid.
    Invalid,
}

/// Issues and verifies access tokens. There is one per process.
///
/// [`AccessTokens::reload`] loads the keys. Before the first call it issues no token, and no token is valid.
pub struct AccessTokens {
    db: Db,
    master: MasterKey,
    issuer: String,
    ttl: Duration,
    /// Replaced as a whole. The lock is held only while the pointer is copied.
    key_ring: RwLock<Arc<KeyRing>>,
    /// When the last reload began. The lock allows one reload at a time.
    reloaded: Mutex<Option<Instant>>,
}

impl AccessTokens {
    /// `issuer`: the public URL of the installation. `ttl`: the lifetime of a token.
    pub fn new(db: &Db, master: &MasterKey, issuer: &str, ttl: Duration) -> Self {
        Self {
            db: db.clone(),
            master: master.clone(),
            issuer: issuer.to_owned(),
            ttl,
            key_ring: RwLock::default(),
            reloaded: Mutex::default(),
        }
    }

    /// Loads the current keys. Tokens of a removed key become invalid.
    ///
    /// # Errors
    /// Any database error; the previous keys stay.
    pub async fn reload(&self) -> Result<()> {
        self.reload_locked(&mut *self.reloaded.lock().await).await
    }

    async fn reload_locked(&self, reloaded: &mut Option<Instant>) -> Result<()> {
        *reloaded = Some(Instant::now());
        let rows = signing_keys::list_access_keys(&self.db).await?;
        let known = self.key_ring();
        if !known.is_of(&rows) {
            let key_ring = Arc::new(KeyRing::of(&rows, &self.master, &known, self.ttl));
            *self.key_ring.write().unwrap_or_else(PoisonError::into_inner) = key_ring;
        }
        Ok(())
    }

    fn key_ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.key_ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the key ring after `known` did not have a key. Reloads it if needed; concurrent calls wait for one reload.
    async fn key_ring_after(&self, known: &Arc<KeyRing>) -> Result<Arc<KeyRing>> {
        let mut reloaded = self.reloaded.lock().await;
        let is_recent = reloaded.is_some_and(|at| at.elapsed() < RELOAD_INTERVAL);
        if Arc::ptr_eq(&self.key_ring(), known) && !is_recent {
            self.reload_locked(&mut reloaded).await?;
        }
        Ok(self.key_ring())
    }

    /// Issues a token for a session of `user`, valid from `now`. `generation`: the session's refresh counter.
    ///
    /// # Errors
    /// `Unavailable` while there is no key that signs.
    pub fn issue(
        &self,
        user: UserId,
        (session, generation): (SessionId, i64),
        now: DateTime<Utc>,
    ) -> Result<AccessToken> {
        let (iat, ttl) = (now.timestamp(), self.ttl.as_secs());
        let payload = Payload {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user.0,
            sid: session.0,
            generation,
            iat,
            nbf: iat,
            exp: iat.saturating_add_unsigned(ttl),
            jti: SessionId::new(now).0,
        };
        let key_ring = self.key_ring();
        let key = key_ring.signer().ok_or(Error::Unavailable { retry_after: RELOAD_INTERVAL })?;
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, &payload, &key.encoding);
        Ok(AccessToken {
            token: token.map_err(|_| Error::Internal("could not sign a token"))?,
            expires_in: ttl,
        })
    }

    /// Verifies a token and returns its contents. If its key is unknown, the keys are reloaded first, at most once per second.
    ///
    /// # Errors
    /// `INVALID_TOKEN` when it has another type, algorithm, key, issuer or audience, is altered, or is not valid at `now`;
    /// `Unavailable` when its key is unknown and the database does not respond.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims> {
        let key_ring = self.key_ring();
        let claims = match self.read(&key_ring, token, now) {
            Err(TokenError::UnknownKey) => self.read(&*self.key_ring_after(&key_ring).await?, token, now),
            read => read,
        };
        match claims {
            Ok(claims) if claims.expires > now.timestamp() => Ok(claims),
            _ => Err(ErrorCode::InvalidToken.refuse()),
        }
    }

    fn read(&self, key_ring: &KeyRing, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenError> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(claims) = key_ring.verified.get(&digest) {
            return Ok(claims);
        }
        // The header is not trusted: its `kid` only selects one of our own keys (RFC 8725 §3.10).
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid =
            header.kid.filter(|_| header.typ.as_deref() == Some(TYPE) && header.alg == Algorithm::EdDSA);
        let key = key_ring.key(&kid.ok_or(TokenError::Invalid)?).ok_or(TokenError::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // The expiry is checked below with the clock of the database, not with that of this host.
        validation.validate_exp = false;
        let payload = jsonwebtoken::decode::<Payload>(token, &key.decoding, &validation);
        let payload = payload.map_err(|_| TokenError::Invalid)?.claims;
        if payload.nbf > now.timestamp() + MAX_CLOCK_SKEW || now.timestamp() >= payload.exp {
            return Err(TokenError::Invalid);
        }
        let claims = Claims {
            user: UserId(payload.sub),
            session: SessionId(payload.sid),
            generation: payload.generation,
            expires: payload.exp,
        };
        key_ring.verified.insert(digest, claims);
        Ok(claims)
    }

    /// Since when the current key signs tokens. `None` before the first [`AccessTokens::reload`], or if there is no key.
    pub fn signs_since(&self) -> Option<DateTime<Utc>> {
        self.key_ring().signs_since
    }

    /// Returns the public keys (RFC 7517 §5) for services that verify tokens. They include the next signing key, and earlier
    /// keys whose tokens are still valid.
    pub fn jwks(&self) -> serde_json::Value {
        self.key_ring().jwks()
    }
}
