//! An Ed25519 key pair (RFC 8032). Its private key is stored encrypted, and bound to its row.

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

/// Length of a nonce of AES-GCM, in bytes. It is random, because far fewer than 2^32 keys are ever encrypted (NIST SP
/// 800-38D §8.3).
const NONCE: usize = 12;

/// A key pair that can sign.
pub struct KeyPair {
    kid: String,
    key: SigningKey,
}

/// A key that can verify signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// The key of a JSON Web Key (RFC 8037 §2) with this `kid` and `x`; `None` if it is not an Ed25519 key.
    pub fn from_jwk(kid: &str, x: &str) -> Option<Self> {
        let x: [u8; 32] = URL_SAFE_NO_PAD.decode(x).ok()?.try_into().ok()?;
        Some(Self { kid: kid.to_owned(), key: VerifyingKey::from_bytes(&x).ok()? })
    }

    /// The key id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The member `x` of its JSON Web Key (RFC 8037 §2).
    pub fn x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.to_bytes())
    }

    /// Is `signature` a signature of `message` by this key?
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(signature).ok();
        let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
        // The strict check accepts only one signature per message, and no weak keys.
        signature.is_some_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

/// A decrypted key pair.
pub(super) struct Unwrapped {
    pub(super) pair: KeyPair,
    /// Is it encrypted with the previous master key?
    pub(super) is_outdated: bool,
}

impl KeyPair {
    /// Generates a key pair.
    ///
    /// # Errors
    /// Only if its public key cannot be encoded.
    pub fn generate() -> Result<Self> {
        Self::of(&random_bytes())
    }

    fn of(seed: &[u8; 32]) -> Result<Self> {
        let key = SigningKey::from_bytes(seed);
        let spki = key.verifying_key().to_public_key_der();
        let spki = spki.map_err(|_| Error::Internal("a public key cannot be encoded"))?;
        Ok(Self { kid: URL_SAFE_NO_PAD.encode(&Sha256::digest(spki.as_bytes())[..8]), key })
    }

    /// The key id: base64url of the first 8 bytes of the SHA-256 of its SPKI (RFC 8410).
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key, 32 bytes.
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The public key with its key id.
    pub fn public_key(&self) -> PublicKey {
        PublicKey { kid: self.kid.clone(), key: self.key.verifying_key() }
    }

    /// Signs a message (Ed25519, RFC 8032): base64url.
    pub fn sign(&self, message: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(message).to_bytes())
    }

    /// The private key as PKCS #8 (RFC 5958), in DER.
    ///
    /// # Errors
    /// Only if it cannot be encoded.
    pub fn private(&self) -> Result<Secret<Vec<u8>>> {
        let der = self.key.to_pkcs8_der().map_err(|_| Error::Internal("a signing key cannot be encoded"))?;
        Ok(Secret::new(der.as_bytes().to_vec()))
    }

    /// Nonce, encrypted private key and tag. They are only valid in a row with the same kid and purpose.
    pub(super) fn wrap(&self, master: &MasterKey, purpose: &str) -> Result<Vec<u8>> {
        let (nonce, seed) = (random_bytes::<NONCE>(), self.key.to_bytes());
        let payload = Payload { msg: &seed, aad: &bound_to(purpose, &self.kid) };
        let sealed = cipher(&master.derive(KeyPurpose::Wrap)).encrypt(&nonce.into(), payload);
        Ok([&nonce[..], &sealed.map_err(|_| Error::Internal("a signing key cannot be wrapped"))?].concat())
    }

    /// The key pair of a row; `None` if neither master key decrypts it, or the row was altered.
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
        // The public key is stored unencrypted, so it must match. Otherwise an attacker who can write rows could
        // replace it.
        (pair.kid == row.kid && pair.public() == *row.public).then_some(pair)
    }
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

/// The additional data that binds an encrypted key to its row. A purpose contains no NUL.
fn bound_to(purpose: &str, kid: &str) -> Vec<u8> {
    [purpose.as_bytes(), b"\0", kid.as_bytes()].concat()
}
