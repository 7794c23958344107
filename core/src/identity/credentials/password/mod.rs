//! Passwords: the strength rules, the stored hashes, and the threads that compute them.

mod phc;
mod pool;
mod strength;

use std::thread::available_parallelism;

use phc::{HashMemory, StoredHash};
pub use phc::{check_imported_hash, set_hash_memory};
use pool::HashingPool;
pub use strength::{length, min_length, refuse_weak, set_min_length};

use crate::{
    Result,
    base::{crypto::Secret, text},
};

/// Hashes and verifies passwords on a few dedicated threads. There is one per process; the threads end with its last
/// clone.
#[derive(Clone)]
pub struct Passwords {
    pool: HashingPool,
}

/// The result of verifying a password against a stored hash.
pub(super) enum PasswordMatch {
    /// The password does not match.
    Wrong,
    /// The password matches, as far as the hash covers it.
    Right,
    /// The password matches, but its hash is outdated. Store `renewed` instead.
    Outdated {
        /// The PHC string of the same password with the current parameters.
        renewed: String,
    },
}

impl PasswordMatch {
    /// Returns whether the password matches the hash.
    pub(super) const fn is_right(&self) -> bool {
        matches!(self, Self::Right | Self::Outdated { .. })
    }
}

impl Passwords {
    /// Bounds of the length of a password, in characters of its normalized form ([`text::opaque`]), of at most four
    /// bytes each.
    pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

    /// Starts one thread per core, but leaves one core for everything else.
    ///
    /// # Errors
    /// Only when the system cannot start a thread.
    pub fn new() -> Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        Ok(Self { pool: HashingPool::start(cores.saturating_sub(1).max(1))? })
    }

    /// Returns the PHC string of a password in its normalized form ([`text::opaque`]).
    ///
    /// # Errors
    /// `Unavailable` when too many requests are waiting, or when this one cannot start within 2 s.
    pub async fn hash(&self, password: Secret<String>) -> Result<String> {
        self.pool.run(move |memory| phc::hash(text::opaque(password.expose()).as_bytes(), memory)).await?
    }

    /// Verifies a password against `hash`. Without a hash, or with one that cannot be verified, the result is `Wrong`
    /// after the time that a current hash takes. An imported hash takes its own time until its user logs in. The
    /// password is tried in its normalized form, and as it was typed if that differs: older hashes used the typed form.
    ///
    /// # Errors
    /// `Unavailable` when too many requests are waiting, or when this one cannot start within 2 s.
    pub(super) async fn verify(
        &self,
        password: Secret<String>,
        hash: Option<String>,
    ) -> Result<PasswordMatch> {
        self.pool.run(move |memory| verify(password.expose(), hash.as_deref(), memory)).await?
    }
}

fn verify(typed: &str, hash: Option<&str>, memory: &mut HashMemory) -> Result<PasswordMatch> {
    let stored = hash.and_then(StoredHash::parse);
    if stored.is_none() && hash.is_some() {
        tracing::warn!(
            "cannot verify a stored password hash: its format is unknown, or its cost is too high"
        );
    }
    let has_hash = stored.is_some();
    let Some(stored) = stored.or_else(StoredHash::dummy) else { return Ok(PasswordMatch::Wrong) };
    let password = text::opaque(typed);
    let mut forms = [Some(&*password), Some(typed).filter(|typed| *typed != password)].into_iter().flatten();
    // Without a hash both forms are tried too, so the time depends only on the typed text.
    match forms.find(|form| stored.matches(form.as_bytes(), memory)).filter(|_| has_hash) {
        None => Ok(PasswordMatch::Wrong),
        Some(form) if stored.is_current() && form == password => Ok(PasswordMatch::Right),
        Some(form) if !stored.covers(form.as_bytes()) => Ok(PasswordMatch::Right),
        Some(_) => Ok(PasswordMatch::Outdated { renewed: phc::hash(password.as_bytes(), memory)? }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_matches_only_its_own_hash() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash(secret("correct horse")).await.unwrap();
        let verdict = async |password, hash| passwords.verify(secret(password), hash).await.unwrap();
        assert!(matches!(verdict("correct horse", Some(hash.clone())).await, PasswordMatch::Right));
        assert!(!verdict("wrong horse", Some(hash)).await.is_right());
        assert!(!verdict("anything", None).await.is_right());
        assert!(!verdict("", Some(String::new())).await.is_right());
    }

    #[tokio::test]
    async fn an_outdated_hash_is_renewed_after_the_right_password() {
        let passwords = Passwords::new().unwrap();
        for (password, hash) in [
            (
                "password",
                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            ),
            ("correct horse", "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
        ] {
            let wrong = passwords.verify(secret("wrong"), Some(hash.to_owned())).await.unwrap();
            assert!(matches!(wrong, PasswordMatch::Wrong), "{hash}");
            let right = passwords.verify(secret(password), Some(hash.to_owned())).await.unwrap();
            let PasswordMatch::Outdated { renewed } = right else { panic!("{hash}") };
            let verdict = passwords.verify(secret(password), Some(renewed)).await.unwrap();
            assert!(matches!(verdict, PasswordMatch::Right), "{hash}");
        }
    }

    #[tokio::test]
    async fn a_hash_that_does_not_cover_the_whole_password_is_kept() {
        let passwords = Passwords::new().unwrap();
        // The hash of 100 times `x`; bcrypt uses only 72 bytes.
        let hash = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
        let verdict =
            async |typed: String| passwords.verify(secret(&typed), Some(hash.to_owned())).await.unwrap();
        for typed in ["x".repeat(100), "x".repeat(72), format!("{}mistyped", "x".repeat(72))] {
            assert!(matches!(verdict(typed.clone()).await, PasswordMatch::Right), "{typed}");
        }
        for typed in ["x".repeat(71), format!("{}\0", "x".repeat(100))] {
            assert!(matches!(verdict(typed.clone()).await, PasswordMatch::Wrong), "{typed:?}");
        }
    }

    #[tokio::test]
    async fn unicode_compositions_of_a_password_are_equal() {
        let passwords = Passwords::new().unwrap();
        let (composed, decomposed) = ("gl\u{fc}hende L\u{e4}mpchen", "glu\u{308}hende\u{a0}La\u{308}mpchen");
        for password in [composed, decomposed] {
            let hash = passwords.hash(secret(password)).await.unwrap();
            for typed in [composed, decomposed] {
                let verdict = passwords.verify(secret(typed), Some(hash.clone())).await.unwrap();
                assert!(matches!(verdict, PasswordMatch::Right));
            }
        }
    }

    #[tokio::test]
    async fn a_hash_of_the_typed_form_is_renewed_from_the_normalized_form() {
        let passwords = Passwords::new().unwrap();
        let (composed, decomposed) = ("gl\u{fc}hende Lampe", "glu\u{308}hende Lampe");
        let old = phc::hash(decomposed.as_bytes(), &mut HashMemory::default()).unwrap();
        assert!(!passwords.verify(secret(composed), Some(old.clone())).await.unwrap().is_right());
        let verdict = passwords.verify(secret(decomposed), Some(old)).await.unwrap();
        let PasswordMatch::Outdated { renewed } = verdict else { panic!("the old hash was kept") };
        for typed in [composed, decomposed] {
            let verdict = passwords.verify(secret(typed), Some(renewed.clone())).await.unwrap();
            assert!(matches!(verdict, PasswordMatch::Right));
        }
        assert!(!passwords.verify(secret(decomposed), None).await.unwrap().is_right());
    }
}
