//! Passwords: which are refused, what is stored of them, and the threads that compute it.

mod phc;
mod pool;
mod strength;

use std::thread::available_parallelism;

use phc::{Memory, Stored};
pub use phc::{check_imported_hash, require_memory};
use pool::Pool;
pub use strength::{length, refuse_weak, require_length, shortest};

use crate::{
    Result,
    base::{crypto::Secret, text},
};

/// Hashes passwords and verifies them, few at a time on threads of its own. One of a process; the threads end with its
/// last clone.
#[derive(Clone)]
pub struct Passwords {
    pool: Pool,
}

/// Whether a password is the one of a stored hash.
pub(super) enum Verdict {
    /// It is not.
    Wrong,
    /// It is, or as much of it as the hash covers.
    Right,
    /// It is, but its hash is made as it is no longer done. This one is to be stored instead.
    Outdated {
        /// The PHC string of the same password, made as it is done today.
        renewed: String,
    },
}

impl Verdict {
    /// Is the password the one of the hash?
    pub(super) const fn is_right(&self) -> bool {
        matches!(self, Self::Right | Self::Outdated { .. })
    }
}

impl Passwords {
    /// Bounds of a password, in characters of its one form ([`text::opaque`]); of four bytes each at most.
    pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

    /// With as many threads as there are cores to spare: one is left for everything else.
    ///
    /// # Errors
    /// Only when the system gives no thread.
    pub fn new() -> Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        Ok(Self { pool: Pool::start(cores.saturating_sub(1).max(1))? })
    }

    /// The PHC string of a password, in its one form ([`text::opaque`]).
    ///
    /// # Errors
    /// `Unavailable` when too many are waiting, or when its turn does not come in 2 s.
    pub async fn hash(&self, password: Secret<String>) -> Result<String> {
        self.pool.run(move |memory| phc::hash(text::opaque(password.expose()).as_bytes(), memory)).await?
    }

    /// Is it the password of `hash`? Without a hash, or with one that cannot be verified: no, after the time that a
    /// hash of today takes. An imported hash takes its own time until its person logs in. The password is tried in its one
    /// form, and as it was typed where that is another: hashes were once made of that.
    ///
    /// # Errors
    /// `Unavailable` when too many are waiting, or when its turn does not come in 2 s.
    pub(super) async fn verify(&self, password: Secret<String>, hash: Option<String>) -> Result<Verdict> {
        self.pool.run(move |memory| verify(password.expose(), hash.as_deref(), memory)).await?
    }
}

fn verify(typed: &str, hash: Option<&str>, memory: &mut Memory) -> Result<Verdict> {
    let stored = hash.and_then(Stored::parse);
    if stored.is_none() && hash.is_some() {
        tracing::warn!(
            "cannot verify a stored password hash: its format is unknown, or its cost is too high"
        );
    }
    let somebody = stored.is_some();
    let Some(stored) = stored.or_else(Stored::of_nobody) else { return Ok(Verdict::Wrong) };
    let password = text::opaque(typed);
    let mut forms = [Some(&*password), Some(typed).filter(|typed| *typed != password)].into_iter().flatten();
    // Of nobody both are tried too: how long it takes depends on what was typed alone.
    match forms.find(|form| stored.fits(form.as_bytes(), memory)).filter(|_| somebody) {
        None => Ok(Verdict::Wrong),
        Some(form) if stored.is_present() && form == password => Ok(Verdict::Right),
        Some(form) if !stored.covers(form.as_bytes()) => Ok(Verdict::Right),
        Some(_) => Ok(Verdict::Outdated { renewed: phc::hash(password.as_bytes(), memory)? }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_alone() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash(secret("correct horse")).await.unwrap();
        let verdict = async |password, hash| passwords.verify(secret(password), hash).await.unwrap();
        assert!(matches!(verdict("correct horse", Some(hash.clone())).await, Verdict::Right));
        assert!(!verdict("wrong horse", Some(hash)).await.is_right());
        assert!(!verdict("anything", None).await.is_right());
        assert!(!verdict("", Some(String::new())).await.is_right());
    }

    #[tokio::test]
    async fn an_outdated_hash_is_renewed_for_who_knows_the_password() {
        let passwords = Passwords::new().unwrap();
        for (password, hash) in [
            (
                "password",
                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            ),
            ("correct horse", "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
        ] {
            let wrong = passwords.verify(secret("wrong"), Some(hash.to_owned())).await.unwrap();
            assert!(matches!(wrong, Verdict::Wrong), "{hash}");
            let right = passwords.verify(secret(password), Some(hash.to_owned())).await.unwrap();
            let Verdict::Outdated { renewed } = right else { panic!("{hash}") };
            let again = passwords.verify(secret(password), Some(renewed)).await.unwrap();
            assert!(matches!(again, Verdict::Right), "{hash}");
        }
    }

    #[tokio::test]
    async fn a_hash_that_does_not_cover_what_was_typed_is_kept() {
        let passwords = Passwords::new().unwrap();
        // Of 100 times `x`; bcrypt sees 72 bytes.
        let hash = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
        let verdict =
            async |typed: String| passwords.verify(secret(&typed), Some(hash.to_owned())).await.unwrap();
        for typed in ["x".repeat(100), "x".repeat(72), format!("{}mistyped", "x".repeat(72))] {
            assert!(matches!(verdict(typed.clone()).await, Verdict::Right), "{typed}");
        }
        for typed in ["x".repeat(71), format!("{}\0", "x".repeat(100))] {
            assert!(matches!(verdict(typed.clone()).await, Verdict::Wrong), "{typed:?}");
        }
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_it_is_composed() {
        let passwords = Passwords::new().unwrap();
        let (composed, decomposed) = ("gl\u{fc}hende L\u{e4}mpchen", "glu\u{308}hende\u{a0}La\u{308}mpchen");
        for made_of in [composed, decomposed] {
            let hash = passwords.hash(secret(made_of)).await.unwrap();
            for typed in [composed, decomposed] {
                let verdict = passwords.verify(secret(typed), Some(hash.clone())).await.unwrap();
                assert!(matches!(verdict, Verdict::Right));
            }
        }
    }

    #[tokio::test]
    async fn a_hash_of_what_was_typed_is_renewed_from_the_one_form() {
        let passwords = Passwords::new().unwrap();
        let (composed, decomposed) = ("gl\u{fc}hende Lampe", "glu\u{308}hende Lampe");
        let old = phc::hash(decomposed.as_bytes(), &mut Memory::default()).unwrap();
        assert!(!passwords.verify(secret(composed), Some(old.clone())).await.unwrap().is_right());
        let verdict = passwords.verify(secret(decomposed), Some(old)).await.unwrap();
        let Verdict::Outdated { renewed } = verdict else { panic!("it is kept") };
        for typed in [composed, decomposed] {
            let verdict = passwords.verify(secret(typed), Some(renewed.clone())).await.unwrap();
            assert!(matches!(verdict, Verdict::Right));
        }
        assert!(!passwords.verify(secret(decomposed), None).await.unwrap().is_right());
    }
}
