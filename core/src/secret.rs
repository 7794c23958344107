//! Values that must not be seen, and the one key that all others are derived from.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A value without `Debug` or `Display`: it cannot reach a log by accident.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value; every use is visible in a review.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

/// What a derived key is for; keys of different purposes have nothing to do with each other.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Signs access tokens (Ed25519 seed).
    Access,
    /// Authenticates list cursors.
    Cursor,
    /// Compares bodies that hold a password.
    Body,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Access => b"access",
            Self::Cursor => b"cursor",
            Self::Body => b"body",
        }
    }
}

/// `INSULA_SECRET_KEY`: at least 32 bytes from which every other key is derived (HKDF-SHA256, RFC 5869).
#[derive(Clone)]
pub struct MasterKey(Secret<String>);

impl MasterKey {
    /// Fewest bytes of a key fit for production.
    pub const MIN: usize = 32;

    /// Takes the key as it was configured.
    pub fn new(key: String) -> Self {
        Self(Secret::new(key))
    }

    /// 32 bytes for one purpose; the same on every process with the same key.
    pub fn derive(&self, purpose: Purpose) -> [u8; 32] {
        let mut key = [0; 32];
        let master = Hkdf::<Sha256>::new(Some(b"insula"), self.0.expose().as_bytes());
        // Fails only for more than 255 hashes of output.
        let outcome = master.expand(purpose.label(), &mut key);
        debug_assert!(outcome.is_ok());
        key
    }
}

/// Authenticates short messages with the first 8 bytes of HMAC-SHA256 (RFC 2104).
#[derive(Clone)]
pub struct MacKey([u8; Self::BLOCK]);

impl MacKey {
    /// Bytes of a tag.
    pub const TAG: usize = 8;

    const BLOCK: usize = 64;

    /// A key of one purpose.
    pub fn derive(master: &MasterKey, purpose: Purpose) -> Self {
        // Shorter keys are filled with zeros to the block size (RFC 2104 §2).
        let mut block = [0; Self::BLOCK];
        block[..32].copy_from_slice(&master.derive(purpose));
        Self(block)
    }

    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.0.into());
        mac.update(message);
        mac
    }

    /// The tag of `message`.
    pub fn tag(&self, message: &[u8]) -> [u8; Self::TAG] {
        let full = self.mac(message).finalize().into_bytes();
        std::array::from_fn(|at| full[at])
    }

    /// Is `tag` the tag of `message`? In constant time.
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        tag.len() == Self::TAG && self.mac(message).verify_truncated_left(tag).is_ok()
    }
}

/// `N` bytes from the system's random source.
///
/// # Panics
/// When the system has none: nothing secret can be made then.
#[expect(clippy::expect_used, reason = "without randomness no secret may be made")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's random source answers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_master_and_purpose() {
        let (a, b) = (MasterKey::new("a".repeat(32)), MasterKey::new("b".repeat(32)));
        assert_eq!(a.derive(Purpose::Cursor), a.derive(Purpose::Cursor));
        assert_ne!(a.derive(Purpose::Cursor), a.derive(Purpose::Access));
        assert_ne!(a.derive(Purpose::Cursor), b.derive(Purpose::Cursor));
    }

    #[test]
    fn a_tag_fits_its_message_alone() {
        let key = MacKey::derive(&MasterKey::new("a".repeat(32)), Purpose::Cursor);
        let tag = key.tag(b"message");
        assert!(key.verify(b"message", &tag));
        assert!(
            !key.verify(b"massage", &tag)
                && !key.verify(b"message", &tag[1..])
                && !key.verify(b"message", b"")
        );
    }
}
