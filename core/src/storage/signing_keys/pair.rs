//! An Ed25519 key pair (RFC 8032), and how its private part is kept: encrypted, and bound to its row.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{
    Signature, Signer, SigningKey, VerifyingKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey},
};
use sha2::{Digest, Sha256};

use super::entity;
use crate::{
    Error, Result,
    base::crypto::{KeyPurpose, MasterKey, Secret, random_bytes},
};

/// Bytes of a nonce of AES-GCM. Random: far fewer than 2^32 keys are ever wrapped (NIST SP 800-38D §8.3).
const NONCE: usize = 12;

/// A key that can sign.
pub struct KeyPair {
    kid: String,
    key: SigningKey,
}

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// The key of a JSON Web Key (RFC 8037 §2): its `kid` and its `x`. `None`: that is no Ed25519 key.
    pub fn from_jwk(kid: &str, x: &str) -> Option<Self> {
        let x: [u8; 32] = URL_SAFE_NO_PAD.decode(x).ok()?.try_into().ok()?;
        Some(Self { kid: kid.to_owned(), key: VerifyingKey::from_bytes(&x).ok()? })
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// As the `x` of a JSON Web Key (RFC 8037 §2).
    pub fn x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.to_bytes())
    }

    /// Was `message` signed with its private part?
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(signature).ok();
        let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
        // Strictly: of one message there is one signature, and a weak key verifies nothing.
        signature.is_some_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

/// A key pair as its row had it.
pub(super) struct Unwrapped {
    pub(super) pair: KeyPair,
    /// Was it wrapped by the previous master key?
    pub(super) is_outdated: bool,
}

impl KeyPair {
    /// A new one.
    ///
    /// # Errors
    /// Only when its public part cannot be encoded.
    pub fn generate() -> Result<Self> {
        Self::of(&random_bytes())
    }

    fn of(seed: &[u8; 32]) -> Result<Self> {
        let key = SigningKey::from_bytes(seed);
        let spki = key.verifying_key().to_public_key_der();
        let spki = spki.map_err(|_| Error::Broken("a public key cannot be encoded"))?;
        Ok(Self { kid: URL_SAFE_NO_PAD.encode(&Sha256::digest(spki.as_bytes())[..8]), key })
    }

    /// Its name: base64url of the first 8 bytes of the SHA-256 of its SPKI (RFC 8410).
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public part.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The public part, with its name.
    pub fn public_key(&self) -> PublicKey {
        PublicKey { kid: self.kid.clone(), key: self.key.verifying_key() }
    }

    /// Signs a message (Ed25519, RFC 8032): base64url.
    pub fn sign(&self, message: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(message).to_bytes())
    }

    /// The private part as PKCS #8 (RFC 5958), in DER.
    ///
    /// # Errors
    /// Only when it cannot be encoded.
    pub fn private(&self) -> Result<Secret<Vec<u8>>> {
        let der = self.key.to_pkcs8_der().map_err(|_| Error::Broken("a signing key cannot be encoded"))?;
        Ok(Secret::new(der.as_bytes().to_vec()))
    }

    /// Nonce, encrypted private part and tag; fits no row of another kid or purpose.
    pub(super) fn wrap(&self, master: &MasterKey, purpose: &str) -> Result<Vec<u8>> {
        let (nonce, seed) = (random_bytes::<NONCE>(), self.key.to_bytes());
        let payload = Payload { msg: &seed, aad: &bound_to(purpose, &self.kid) };
        let sealed = cipher(&master.derive(KeyPurpose::Wrap)).encrypt(&nonce.into(), payload);
        Ok([&nonce[..], &sealed.map_err(|_| Error::Broken("a signing key cannot be wrapped"))?].concat())
    }

    /// The pair of a row; `None` when neither master key opens it, or anything in the row was altered.
    pub(super) fn unwrap(master: &MasterKey, row: &entity::Model) -> Option<Unwrapped> {
        let current = Self::open(&master.derive(KeyPurpose::Wrap), row);
        match current {
            Some(pair) => Some(Unwrapped { pair, is_outdated: false }),
            None => Self::open(&master.derive_previous(KeyPurpose::Wrap)?, row)
                .map(|pair| Unwrapped { pair, is_outdated: true }),
        }
    }

    fn open(key: &[u8; 32], row: &entity::Model) -> Option<Self> {
        let (nonce, sealed) = row.wrapped_private.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: sealed, aad: &bound_to(&row.purpose, &row.kid) };
        let seed = Secret::new(cipher(key).decrypt(nonce.into(), payload).ok()?);
        let pair = Self::of(seed.expose().as_slice().try_into().ok()?).ok()?;
        // The public part stands beside it in the clear: whoever can write rows must not be able to slip in his own.
        (pair.kid == row.kid && pair.public() == *row.public).then_some(pair)
    }
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

/// What a wrapped key belongs to. A purpose has no NUL in it.
fn bound_to(purpose: &str, kid: &str) -> Vec<u8> {
    [purpose.as_bytes(), b"\0", kid.as_bytes()].concat()
}
