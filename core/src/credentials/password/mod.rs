//! Argon2id (RFC 9106 §4, OWASP's second choice of parameters) on threads of its own, few at a time: hashing is made to
//! be slow and large, and must neither stop the async threads nor fill the memory.

mod strength;

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

pub use strength::{refuse_weak, require_length};

use crate::{Error, Result, secret::Secret};

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Hashes passwords and verifies them. One of a process.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    argon2: Argon2<'static>,
    /// The hash of a password nobody has: unknown users take as long as known ones.
    dummy: Arc<str>,
}

impl Passwords {
    /// Bounds of a password, in characters.
    pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

    /// With as many turns as there are cores to spare: one is left for everything else.
    ///
    /// # Errors
    /// Only when the parameters of the algorithm are wrong.
    pub fn new() -> Result<Self> {
        let params =
            Params::new(19_456, 2, 1, None).map_err(|_| Error::Broken("Argon2 refuses its parameters"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash(&argon2, &crate::secret::random::<16>())?;
        let cores = available_parallelism().map_or(1, usize::from);
        let turns = Arc::new(Semaphore::new(cores.saturating_sub(1).max(1)));
        Ok(Self { turns, argon2, dummy: dummy.into() })
    }

    /// The PHC string of a password.
    ///
    /// # Errors
    /// `Unavailable` when no turn comes in time.
    pub async fn hash(&self, password: Secret<String>) -> Result<String> {
        self.run(move |argon2| hash(argon2, password.expose().as_bytes())).await?
    }

    /// Is it the password of `hash`? Without a hash: no, after the same time.
    ///
    /// # Errors
    /// `Unavailable` when no turn comes in time.
    pub async fn verify(&self, password: Secret<String>, hash: Option<String>) -> Result<bool> {
        let dummy = Arc::clone(&self.dummy);
        self.run(move |argon2| {
            let against = hash.as_deref().unwrap_or(&dummy);
            argon2.verify_password(password.expose().as_bytes(), against).is_ok() && hash.is_some()
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T> {
        let busy = Error::Unavailable { retry_after: PATIENCE };
        let Ok(Ok(turn)) = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await else {
            return Err(busy);
        };
        let argon2 = self.argon2.clone();
        let outcome = spawn_blocking(move || {
            let _turn = turn;
            work(&argon2)
        });
        outcome.await.map_err(|_| Error::Broken("hashing a password panicked"))
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Result<String> {
    let hash = argon2.hash_password(password).map_err(|_| Error::Broken("Argon2 refuses a password"))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_alone() {
        let passwords = Passwords::new().unwrap();
        let secret = |text: &str| Secret::new(text.to_owned());
        let hash = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify(secret("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(secret("wrong horse"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(secret("anything"), None).await.unwrap());
    }
}
