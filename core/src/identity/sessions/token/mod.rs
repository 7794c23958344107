//! Access tokens: JWT (RFC 9068) signed by EdDSA (RFC 8037), so that who verifies cannot mint.

mod key_ring;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header, Validation};
use key_ring::Ring;
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
/// Who the tokens are for.
const AUDIENCE: &str = "insula";
/// Seconds that the clocks of two servers may differ: a token may be that young. They go by the database's clock, so they
/// differ only when one of them has not been able to ask it yet.
const SKEW: i64 = 60;
/// How soon a token of an unknown key may make the process look for new keys again: a flood of them costs a look a second.
/// A key that was published at least as long before it signs (`INSULA_KEY_LEAD`) is never missed for it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a valid token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who.
    pub user: UserId,
    /// By which log-in.
    pub session: SessionId,
    /// With which of its refresh tokens the token was made; 0: by a program that did not say so.
    pub generation: i64,
    /// Until when, in seconds since 1970.
    expires: i64,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    /// A claim of our own: see [`Claims::generation`].
    #[serde(default, rename = "gen")]
    generation: i64,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// A fresh access token.
#[derive(Clone)]
pub struct AccessToken {
    /// The token, as it is sent.
    pub token: String,
    /// Seconds it lives.
    pub expires_in: u64,
}

/// Why a token says nothing.
enum Doubt {
    /// Its key is not on the ring; it may be newer than the ring.
    UnknownKey,
    /// It is not valid.
    Invalid,
}

/// Makes access tokens and verifies them. One of a process.
///
/// Keys are learned by [`Tokens::reload`]; until the first one nothing is signed and nothing is valid.
pub struct Tokens {
    db: Db,
    master: MasterKey,
    issuer: String,
    ttl: Duration,
    /// Replaced as a whole; nobody holds the lock for longer than it takes to copy the pointer.
    job_ref: RwLock<Arc<Ring>>,
    /// One look for new keys at a time; when the last one began.
    looked: Mutex<Option<Instant>>,
}

impl Tokens {
    /// `issuer`: where the installation is reached; `ttl`: how long a token lives.
    pub fn new(db: &Db, master: &MasterKey, issuer: &str, ttl: Duration) -> Self {
        Self {
            db: db.clone(),
            master: master.clone(),
            issuer: issuer.to_owned(),
            ttl,
            job_ref: RwLock::default(),
            looked: Mutex::default(),
        }
    }

    /// Learns which keys there are now. A removed key is worth nothing from then on, and neither is what it signed.
    ///
    /// # Errors
    /// Whatever the database refuses; the keys known before stay.
    pub async fn reload(&self) -> Result<()> {
        self.look(&mut *self.looked.lock().await).await
    }

    async fn look(&self, looked: &mut Option<Instant>) -> Result<()> {
        *looked = Some(Instant::now());
        let rows = signing_keys::of_access(&self.db).await?;
        let known = self.job_ref();
        if !known.is_of(&rows) {
            let job_ref = Arc::new(Ring::of(&rows, &self.master, &known, self.ttl));
            *self.job_ref.write().unwrap_or_else(PoisonError::into_inner) = job_ref;
        }
        Ok(())
    }

    fn job_ref(&self) -> Arc<Ring> {
        Arc::clone(&self.job_ref.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The ring after `known` failed: whoever comes while another looks waits for what he finds.
    async fn ring_after(&self, known: &Arc<Ring>) -> Result<Arc<Ring>> {
        let mut looked = self.looked.lock().await;
        let is_recent = looked.is_some_and(|at| at.elapsed() < LOOK_AGAIN);
        if Arc::ptr_eq(&self.job_ref(), known) && !is_recent {
            self.look(&mut looked).await?;
        }
        Ok(self.job_ref())
    }

    /// A token for a session of `user`, valid from `now`. `generation`: the session's refresh counter.
    ///
    /// # Errors
    /// `Unavailable` while no key is known that signs.
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
        let job_ref = self.job_ref();
        let key = job_ref.signer().ok_or(Error::Unavailable { retry_after: LOOK_AGAIN })?;
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, &payload, &key.signs);
        Ok(AccessToken {
            token: token.map_err(|_| Error::Broken("could not sign a token"))?,
            expires_in: ttl,
        })
    }

    /// What a token says. One of an unknown key makes the process look for new keys first, at most once a second.
    ///
    /// # Errors
    /// `INVALID_TOKEN` when it is of another type, algorithm, key, issuer or audience, altered, not yet or no longer valid;
    /// `Unavailable` when its key is unknown and the database does not respond.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims> {
        let job_ref = self.job_ref();
        let claims = match self.read(&job_ref, token, now) {
            Err(Doubt::UnknownKey) => self.read(&*self.ring_after(&job_ref).await?, token, now),
            read => read,
        };
        match claims {
            Ok(claims) if claims.expires > now.timestamp() => Ok(claims),
            _ => Err(ErrorCode::InvalidToken.refuse()),
        }
    }

    fn read(&self, job_ref: &Ring, token: &str, now: DateTime<Utc>) -> Result<Claims, Doubt> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(claims) = job_ref.verified.get(&digest) {
            return Ok(claims);
        }
        // The header is believed in nothing: its `kid` only chooses among our own keys (RFC 8725 §3.10).
        let header = jsonwebtoken::decode_header(token).map_err(|_| Doubt::Invalid)?;
        let kid =
            header.kid.filter(|_| header.typ.as_deref() == Some(TYPE) && header.alg == Algorithm::EdDSA);
        let key = job_ref.key(&kid.ok_or(Doubt::Invalid)?).ok_or(Doubt::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Time is compared here, with our own clock.
        validation.validate_exp = false;
        let payload = jsonwebtoken::decode::<Payload>(token, &key.verifies, &validation);
        let payload = payload.map_err(|_| Doubt::Invalid)?.claims;
        if payload.nbf > now.timestamp() + SKEW || now.timestamp() >= payload.exp {
            return Err(Doubt::Invalid);
        }
        let claims = Claims {
            user: UserId(payload.sub),
            session: SessionId(payload.sid),
            generation: payload.generation,
            expires: payload.exp,
        };
        job_ref.verified.insert(digest, claims);
        Ok(claims)
    }

    /// The public keys, for whoever verifies tokens (RFC 7517 §5): also the one that will sign next, and those that have
    /// signed tokens that are still good.
    pub fn jwks(&self) -> serde_json::Value {
        self.job_ref().jwks()
    }
}
