//! Secret values, and the master key from which all other keys are derived.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// A value without `Debug` or `Display`: it cannot reach a log by accident.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. Searching for `expose` finds every use.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

/// The purpose of a derived key. Keys of different purposes are independent.
#[derive(Clone, Copy, Debug)]
pub enum KeyPurpose {
    /// Authenticates list cursors.
    Cursor,
    /// Authenticates refresh tokens.
    Refresh,
    /// Authenticates CSRF tokens.
    Csrf,
    /// Authenticates the tokens that recognize a browser.
    Device,
    /// Encrypts stored private keys (AES-256-GCM).
    Wrap,
    /// Compares request bodies that contain a password.
    Body,
    /// Creates e-mailed tokens.
    Email,
    /// Hashes the keys of rate limits, which are not stored in plain text.
    Limit,
}

impl KeyPurpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Cursor => b"cursor",
            Self::Refresh => b"refresh",
            Self::Csrf => b"csrf",
            Self::Device => b"device",
            Self::Wrap => b"wrap",
            Self::Body => b"body",
            Self::Email => b"email",
            Self::Limit => b"limit",
        }
    }
}

/// `INSULA_SECRET_KEY`: at least 32 bytes, from which every other key is derived (HKDF-SHA256, RFC 5869). During a
/// replacement, values made with the previous key are still accepted, but new ones are made with the current key only.
#[derive(Clone)]
pub struct MasterKey {
    current: Secret<String>,
    previous: Option<Secret<String>>,
}

impl MasterKey {
    /// Minimum length of a key in production, in bytes.
    pub const MIN: usize = 32;

    /// The configured key.
    pub fn new(key: String) -> Self {
        Self { current: Secret::new(key), previous: None }
    }

    /// The same key, which also accepts values made with `previous`.
    #[must_use]
    pub fn with_previous(self, previous: Option<Secret<String>>) -> Self {
        Self { previous, ..self }
    }

    /// 32 bytes for one purpose, the same in every process with the same key.
    pub fn derive(&self, purpose: KeyPurpose) -> [u8; 32] {
        expand(&self.current, purpose)
    }

    /// Like [`MasterKey::derive`], from the previous key; `None` if there is none.
    pub fn derive_previous(&self, purpose: KeyPurpose) -> Option<[u8; 32]> {
        self.previous.as_ref().map(|previous| expand(previous, purpose))
    }
}

fn expand(master: &Secret<String>, purpose: KeyPurpose) -> [u8; 32] {
    let mut key = [0; 32];
    // Fails only for output of more than 255 hashes.
    let outcome =
        Hkdf::<Sha256>::new(Some(b"insula"), master.expose().as_bytes()).expand(purpose.label(), &mut key);
    debug_assert!(outcome.is_ok());
    key
}

/// Authenticates messages with the first `N` bytes of HMAC-SHA256 (RFC 2104 §5: at least half of its 32).
///
/// Use fewer bytes only where a forgery gains nothing, such as for the position in a list.
#[derive(Clone)]
pub struct MacKey<const N: usize> {
    current: [u8; BLOCK],
    previous: Option<[u8; BLOCK]>,
}

/// Block size of SHA-256, in bytes.
const BLOCK: usize = 64;

impl<const N: usize> MacKey<N> {
    /// The key for one purpose. It also accepts the tags of the previous master key.
    pub fn derive(master: &MasterKey, purpose: KeyPurpose) -> Self {
        const { assert!(N <= 32, "HMAC-SHA256 has 32 bytes") };
        // Shorter keys are padded with zeros to the block size (RFC 2104 §2).
        let padded = |key: [u8; 32]| {
            let mut block = [0; BLOCK];
            block[..32].copy_from_slice(&key);
            block
        };
        Self {
            current: padded(master.derive(purpose)),
            previous: master.derive_previous(purpose).map(padded),
        }
    }

    /// The tag of `message`.
    pub fn tag(&self, message: &[u8]) -> [u8; N] {
        let full = mac(&self.current, message).finalize().into_bytes();
        std::array::from_fn(|at| full[at])
    }

    /// Is `tag` the tag of `message`? Compares in constant time.
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        let matches = |key: &_| mac(key, message).verify_truncated_left(tag).is_ok();
        tag.len() == N && (matches(&self.current) || self.previous.as_ref().is_some_and(matches))
    }

    /// A token with `claims` about a subject, which the token does not contain: base64url of the claims and the tag of
    /// both.
    pub(crate) fn sign_token(&self, subject: Uuid, claims: &[u8]) -> String {
        let tag = self.tag(&[subject.as_bytes(), claims].concat());
        URL_SAFE_NO_PAD.encode([claims, &tag].concat())
    }

    /// The claims of `token`; `None` if it is not a valid token of this subject.
    pub(crate) fn verify_token(&self, subject: Uuid, token: &str) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let tag = bytes.split_off(bytes.len().checked_sub(N)?);
        self.verify(&[subject.as_bytes(), &*bytes].concat(), &tag).then_some(bytes)
    }
}

fn mac(key: &[u8; BLOCK], message: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new(key.into());
    mac.update(message);
    mac
}

/// Two lower-case hexadecimal digits for each byte.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

/// `N` bytes from the random source of the operating system.
///
/// # Panics
/// If the operating system has none, because no secret can be created then.
#[expect(clippy::expect_used, reason = "no secret can be created without randomness")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's random source answers");
    bytes
}

/// `length` random lower-case letters and digits (5 bits each), without similar ones (`l`, `o`, `0`, `1`).
pub fn random_word(length: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letter = || {
        let [byte] = random_bytes();
        char::from(LETTERS[usize::from(byte % 32)])
    };
    std::iter::repeat_with(letter).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(hex(&[0, 1, 0x7f, 0xa0, 0xff]), "00017fa0ff");
    }

    #[test]
    fn random_words_have_no_look_alikes() {
        let word = random_word(500);
        assert_eq!(word.len(), 500);
        assert!(word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{word}");
        assert!(!word.contains(['l', 'o', '0', '1']), "{word}");
        assert_ne!(random_word(20), random_word(20));
    }

    #[test]
    fn keys_depend_on_master_and_purpose() {
        let (a, b) = (MasterKey::new("a".repeat(32)), MasterKey::new("b".repeat(32)));
        assert_eq!(a.derive(KeyPurpose::Cursor), a.derive(KeyPurpose::Cursor));
        assert_ne!(a.derive(KeyPurpose::Cursor), a.derive(KeyPurpose::Wrap));
        assert_ne!(a.derive(KeyPurpose::Cursor), b.derive(KeyPurpose::Cursor));
    }

    #[test]
    fn a_tag_is_valid_for_its_message_only() {
        let key = MacKey::<8>::derive(&MasterKey::new("a".repeat(32)), KeyPurpose::Cursor);
        let tag = key.tag(b"message");
        assert!(key.verify(b"message", &tag));
        assert!(
            !key.verify(b"massage", &tag)
                && !key.verify(b"message", &tag[1..])
                && !key.verify(b"message", b"")
        );
    }

    #[test]
    fn tags_of_the_previous_key_are_accepted_but_not_created() {
        let key = |key: &str| MasterKey::new(key.repeat(32));
        let (old, new) = (
            MacKey::<8>::derive(&key("a"), KeyPurpose::Cursor),
            MacKey::<8>::derive(&key("b"), KeyPurpose::Cursor),
        );
        let both = MacKey::<8>::derive(
            &key("b").with_previous(Some(Secret::new("a".repeat(32)))),
            KeyPurpose::Cursor,
        );
        assert!(both.verify(b"m", &old.tag(b"m")) && both.verify(b"m", &new.tag(b"m")));
        assert_eq!(both.tag(b"m"), new.tag(b"m"));
        assert!(!new.verify(b"m", &old.tag(b"m")));
    }
}
