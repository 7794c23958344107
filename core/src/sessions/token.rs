//! Access tokens: JWT (RFC 9068) signed by EdDSA (RFC 8037), so that who verifies cannot mint.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Error, Result,
    error::Code,
    ids::{SessionId, UserId},
    secret::{MasterKey, Purpose},
};

/// The media type of access tokens (RFC 9068 §2.1).
const TYPE: &str = "at+jwt";
/// Who the tokens are for.
const AUDIENCE: &str = "insula";
/// Seconds that the clocks of two servers may differ: a token may be that young.
const SKEW: i64 = 30;
/// Most verified tokens remembered: verifying costs 40 times a look-up.
const REMEMBERED: u64 = 50_000;

/// What a valid token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who.
    pub user: UserId,
    /// By which log-in.
    pub session: SessionId,
    /// Until when, in seconds since 1970.
    expires: i64,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
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

/// Makes access tokens and verifies them. One of a process.
#[derive(Clone)]
pub struct Tokens {
    issuer: String,
    ttl: Duration,
    kid: String,
    public: [u8; 32],
    signs: EncodingKey,
    verifies: DecodingKey,
    verified: Cache<[u8; 32], Claims>,
}

impl Tokens {
    /// With the key derived for access tokens. `issuer`: where the installation is reached; `ttl`: how long a token lives.
    ///
    /// # Errors
    /// Only when the derived key cannot be encoded.
    pub fn new(master: &MasterKey, issuer: &str, ttl: Duration) -> Result<Self> {
        let key = SigningKey::from_bytes(&master.derive(Purpose::Access));
        let broken = Error::Broken("the signing key cannot be encoded");
        let (Ok(private), Ok(spki)) = (key.to_pkcs8_der(), key.verifying_key().to_public_key_der()) else {
            return Err(broken);
        };
        let public = key.verifying_key().to_bytes();
        Ok(Self {
            issuer: issuer.to_owned(),
            ttl,
            kid: URL_SAFE_NO_PAD.encode(&Sha256::digest(spki.as_bytes())[..8]),
            public,
            signs: EncodingKey::from_ed_der(private.as_bytes()),
            verifies: DecodingKey::from_ed_der(&public),
            verified: Cache::builder().max_capacity(REMEMBERED).time_to_live(ttl).build(),
        })
    }

    /// A token for a session of `user`, valid from `now`.
    ///
    /// # Errors
    /// Only when signing fails.
    pub fn issue(&self, user: UserId, session: SessionId, now: DateTime<Utc>) -> Result<AccessToken> {
        let (iat, ttl) = (now.timestamp(), self.ttl.as_secs());
        let payload = Payload {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user.0,
            sid: session.0,
            iat,
            nbf: iat,
            exp: iat.saturating_add_unsigned(ttl),
            jti: SessionId::new(now).0,
        };
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, &payload, &self.signs);
        Ok(AccessToken {
            token: token.map_err(|_| Error::Broken("signing a token failed"))?,
            expires_in: ttl,
        })
    }

    /// What a token says.
    ///
    /// # Errors
    /// `INVALID_TOKEN` when it is of another type, algorithm, key, issuer or audience, altered, not yet or no longer valid.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let claims = match self.verified.get(&digest) {
            Some(claims) => claims,
            None => {
                let claims = self.read(token, now).ok_or(Error::Refused(Code::InvalidToken))?;
                self.verified.insert(digest, claims);
                claims
            }
        };
        match claims.expires > now.timestamp() {
            true => Ok(claims),
            false => Err(Code::InvalidToken.refuse()),
        }
    }

    fn read(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.typ.as_deref() != Some(TYPE) || header.kid.as_deref() != Some(&self.kid) {
            return None;
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Time is compared here, with our own clock.
        validation.validate_exp = false;
        let payload = jsonwebtoken::decode::<Payload>(token, &self.verifies, &validation).ok()?.claims;
        let valid = payload.nbf <= now.timestamp() + SKEW && now.timestamp() < payload.exp;
        valid.then_some(Claims {
            user: UserId(payload.sub),
            session: SessionId(payload.sid),
            expires: payload.exp,
        })
    }

    /// The public keys, for whoever verifies tokens (RFC 7517 §5).
    pub fn jwks(&self) -> serde_json::Value {
        let x = URL_SAFE_NO_PAD.encode(self.public);
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://insula.example";

    fn tokens(key: char, issuer: &str) -> Tokens {
        Tokens::new(&MasterKey::new(key.to_string().repeat(32)), issuer, Duration::from_secs(900)).unwrap()
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    fn issued() -> (UserId, SessionId, String) {
        let (user, session) = (UserId::new(now()), SessionId::new(now()));
        (user, session, tokens('k', ISSUER).issue(user, session, now()).unwrap().token)
    }

    #[test]
    fn a_token_says_who_until_it_expires() {
        let (user, session, token) = issued();
        let tokens = tokens('k', ISSUER);
        for at in [now(), now() + Duration::from_secs(899)] {
            let claims = tokens.verify(&token, at).unwrap();
            assert_eq!((claims.user, claims.session), (user, session));
        }
        // Remembered or not.
        for tokens in [&tokens, &self::tokens('k', ISSUER)] {
            assert!(tokens.verify(&token, now() + Duration::from_secs(900)).is_err());
        }
        assert!(self::tokens('k', ISSUER).verify(&token, now() - Duration::from_secs(31)).is_err());
    }

    #[test]
    fn other_keys_issuers_and_altered_tokens_are_refused() {
        let (_, _, token) = issued();
        assert!(tokens('x', ISSUER).verify(&token, now()).is_err());
        assert!(tokens('k', "https://other.example").verify(&token, now()).is_err());
        for at in [5, token.len() / 2, token.len() - 10] {
            let mut altered = token.clone();
            altered.replace_range(at..=at, if &token[at..=at] == "A" { "B" } else { "A" });
            assert!(tokens('k', ISSUER).verify(&altered, now()).is_err());
        }
    }

    #[test]
    fn other_algorithms_and_types_are_refused() {
        let tokens = tokens('k', ISSUER);
        let (_, _, token) = issued();
        let body = token.split('.').nth(1).unwrap();
        let header = |typ: &str, alg: &str| {
            URL_SAFE_NO_PAD.encode(json!({"typ": typ, "alg": alg, "kid": tokens.kid}).to_string())
        };
        assert!(tokens.verify(&format!("{}.{body}.", header(TYPE, "none")), now()).is_err());
        let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
        let hmac =
            Header { typ: Some(TYPE.into()), kid: Some(tokens.kid.clone()), ..Header::new(Algorithm::HS256) };
        let forged =
            jsonwebtoken::encode(&hmac, &payload, &EncodingKey::from_secret(&tokens.public)).unwrap();
        assert!(tokens.verify(&forged, now()).is_err());
        let plain = Header { kid: Some(tokens.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        let other_type = jsonwebtoken::encode(&plain, &payload, &tokens.signs).unwrap();
        assert!(tokens.verify(&other_type, now()).is_err());
    }
}
