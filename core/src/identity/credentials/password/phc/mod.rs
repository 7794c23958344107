//! What is stored of a password: Argon2id (RFC 9106) as a PHC string, with the parameters of OWASP's Password Storage
//! Cheat Sheet; or, of people who were imported, other parameters or bcrypt. What costs too much is never computed.

use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};

use crate::{
    Error, Result,
    base::{crypto::random_bytes, error::FieldErrors},
};

/// KiB of memory of new hashes; of a process, like the setting it comes from.
static MEMORY: AtomicU32 = AtomicU32::new(19_456);

/// Gives new hashes so much memory (`INSULA_PASSWORD_MEMORY`), in KiB. Once, at start.
pub fn require_memory(kibibytes: u32) {
    MEMORY.store(kibibytes, Relaxed);
}

/// What new hashes are made with: two passes, one lane.
fn parameters() -> Params {
    Params::new(MEMORY.load(Relaxed), 2, 1, None).unwrap_or_default()
}

/// Most memory (KiB), passes and lanes of an imported hash; about a quarter of a second together.
const DEAREST: (u32, u32, u32) = (65_536, 10, 4);

/// Logarithmic; 12 takes about a quarter of a second.
const BCRYPT_COST: RangeInclusive<u32> = 4..=12;

/// How many bytes of a password bcrypt sees.
const SEEN_BY_BCRYPT: usize = 72;

/// The working memory of one thread, kept from one hash to the next: what all threads hold together stays the same
/// however many log in.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    fn compute(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        out: &mut [u8],
    ) -> argon2::Result<()> {
        let blocks = parameters().block_count();
        if argon2.params().block_count() > blocks {
            // An imported hash, this once.
            return argon2.hash_password_into(password, salt, out);
        }
        self.0.resize(blocks, Block::new());
        argon2.hash_password_into_with_memory(password, salt, out, &mut *self.0)
    }
}

/// The PHC string of a password.
pub(super) fn hash(password: &[u8], memory: &mut Memory) -> Result<String> {
    let (salt, mut out) = (random_bytes::<16>(), [0; Params::DEFAULT_OUTPUT_LEN]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters());
    let computed = memory.compute(&argon2, password, &salt, &mut out).is_ok();
    let hash = present(&salt, &out).filter(|_| computed);
    hash.map(|hash| hash.to_string()).ok_or(Error::Broken("Argon2 refuses a password"))
}

fn present(salt: &[u8], out: &[u8]) -> Option<PasswordHash> {
    Some(PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&parameters()).ok()?,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(Output::new(out).ok()?),
    })
}

/// A stored hash that can be verified.
pub(super) enum Stored {
    Argon2id { argon2: Box<Argon2<'static>>, salt: Salt, output: Output, is_present: bool },
    Bcrypt(String),
}

impl Stored {
    /// `None`: in another form, or too expensive.
    pub(super) fn parse(hash: &str) -> Option<Self> {
        if hash.starts_with("$2b$") {
            let parts: bcrypt::HashParts = hash.parse().ok()?;
            return BCRYPT_COST.contains(&parts.get_cost()).then(|| Self::Bcrypt(hash.to_owned()));
        }
        Self::argon2id(&PasswordHash::new(hash).ok()?)
    }

    fn argon2id(hash: &PasswordHash) -> Option<Self> {
        let params = Params::try_from(hash).ok()?;
        let (memory, passes, lanes) = DEAREST;
        let is_bounded = params.m_cost() <= memory && params.t_cost() <= passes && params.p_cost() <= lanes;
        if hash.algorithm != ARGON2ID_IDENT || !is_bounded {
            return None;
        }
        let version = Version::try_from(hash.version?).ok()?;
        Some(Self::Argon2id {
            argon2: Box::new(Argon2::new(Algorithm::Argon2id, version, params)),
            salt: hash.salt?,
            output: hash.hash?,
            is_present: version == Version::V0x13
                && ParamsString::try_from(&parameters()).ok()? == hash.params,
        })
    }

    /// Of a password that nobody has; as dear as any that is made today.
    pub(super) fn of_nobody() -> Option<Self> {
        Self::argon2id(&present(&random_bytes::<16>(), &random_bytes::<32>())?)
    }

    /// Is it the hash of `password`? Compared in constant time.
    pub(super) fn fits(&self, password: &[u8], memory: &mut Memory) -> bool {
        match self {
            Self::Argon2id { argon2, salt, output, .. } => {
                let mut buffer = [0; Output::MAX_LENGTH];
                let out = &mut buffer[..output.len()];
                memory.compute(argon2, password, salt, out).is_ok()
                    && Output::new(out).is_ok_and(|computed| computed == *output)
            }
            // It repeats its key after a NUL: `a` and `a\0a` would be the same.
            Self::Bcrypt(hash) => {
                !password.contains(&0) && bcrypt::verify(password, hash).unwrap_or_default()
            }
        }
    }

    /// Does the hash cover all of a password that fits it? Otherwise another one with the same beginning fits too: it may be
    /// mistyped, and no other hash is to be made of it. One of exactly as many bytes as are seen may be the beginning of the
    /// right one.
    pub(super) const fn covers(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2id { .. } => true,
            Self::Bcrypt(_) => password.len() < SEEN_BY_BCRYPT,
        }
    }

    /// Is it made as new ones are?
    pub(super) fn is_present(&self) -> bool {
        matches!(self, Self::Argon2id { is_present: true, .. })
    }
}

/// Refuses a hash of another installation that could not, or not cheaply, be verified. Taken are Argon2id as a PHC string
/// with its version, up to 64 MiB, 10 passes and 4 lanes; and bcrypt as `$2b$`, of cost 4 to 12.
///
/// # Errors
/// `VALIDATION_FAILED`, which names `field`.
pub fn check_imported_hash(field: &str, hash: &str) -> Result<()> {
    if Stored::parse(hash).is_some() {
        return Ok(());
    }
    let mut fields = FieldErrors::default();
    fields.add(
        field,
        "INVALID_FORMAT",
        "Must be an Argon2id PHC string (at most m=65536, t=10, p=4) or a bcrypt hash `$2b$` of cost 4 to 12.",
    );
    fields.into_result()
}

#[cfg(test)]
mod tests;
