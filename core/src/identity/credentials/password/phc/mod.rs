//! Stored password hashes: Argon2id (RFC 9106) as a PHC string, with the parameters of OWASP's Password Storage Cheat
//! Sheet. Imported users can have other parameters or bcrypt. Hashes that cost too much are never computed.

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

/// Memory of new hashes, in KiB. Global to the process, like its setting.
static MEMORY: AtomicU32 = AtomicU32::new(19_456);

/// Sets the memory of new hashes (`INSULA_PASSWORD_MEMORY`), in KiB. Called once, at start.
pub fn set_hash_memory(kibibytes: u32) {
    MEMORY.store(kibibytes, Relaxed);
}

/// Returns the parameters of new hashes: two passes, one lane.
fn parameters() -> Params {
    Params::new(MEMORY.load(Relaxed), 2, 1, None).unwrap_or_default()
}

/// Maximum memory (KiB), passes and lanes of an imported hash; together about a quarter of a second.
const MAX_IMPORTED: (u32, u32, u32) = (65_536, 10, 4);

/// Accepted cost of bcrypt, logarithmic; 12 takes about a quarter of a second.
const BCRYPT_COST: RangeInclusive<u32> = 4..=12;

/// Number of bytes of a password that bcrypt uses.
const BCRYPT_MAX_BYTES: usize = 72;

/// The working memory of one thread, reused for each hash. So the total memory does not depend on the number of
/// logins.
#[derive(Default)]
pub(super) struct HashMemory(Vec<Block>);

impl HashMemory {
    fn compute(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        out: &mut [u8],
    ) -> argon2::Result<()> {
        let blocks = parameters().block_count();
        if argon2.params().block_count() > blocks {
            // An imported hash needs more memory, which is freed afterwards.
            return argon2.hash_password_into(password, salt, out);
        }
        self.0.resize(blocks, Block::new());
        argon2.hash_password_into_with_memory(password, salt, out, &mut *self.0)
    }
}

/// Returns the PHC string of a password.
pub(super) fn hash(password: &[u8], memory: &mut HashMemory) -> Result<String> {
    let (salt, mut out) = (random_bytes::<16>(), [0; Params::DEFAULT_OUTPUT_LEN]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters());
    let computed = memory.compute(&argon2, password, &salt, &mut out).is_ok();
    let hash = with_current_parameters(&salt, &out).filter(|_| computed);
    hash.map(|hash| hash.to_string()).ok_or(Error::Internal("Argon2 refuses a password"))
}

fn with_current_parameters(salt: &[u8], out: &[u8]) -> Option<PasswordHash> {
    Some(PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&parameters()).ok()?,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(Output::new(out).ok()?),
    })
}

/// A stored hash that can be verified.
pub(super) enum StoredHash {
    Argon2id { argon2: Box<Argon2<'static>>, salt: Salt, output: Output, is_current: bool },
    Bcrypt(String),
}

impl StoredHash {
    /// Parses a stored hash. `None` if its format is unknown or its cost too high.
    pub(super) fn parse(hash: &str) -> Option<Self> {
        if hash.starts_with("$2b$") {
            let parts: bcrypt::HashParts = hash.parse().ok()?;
            return BCRYPT_COST.contains(&parts.get_cost()).then(|| Self::Bcrypt(hash.to_owned()));
        }
        Self::argon2id(&PasswordHash::new(hash).ok()?)
    }

    fn argon2id(hash: &PasswordHash) -> Option<Self> {
        let params = Params::try_from(hash).ok()?;
        let (memory, passes, lanes) = MAX_IMPORTED;
        let is_bounded = params.m_cost() <= memory && params.t_cost() <= passes && params.p_cost() <= lanes;
        if hash.algorithm != ARGON2ID_IDENT || !is_bounded {
            return None;
        }
        let version = Version::try_from(hash.version?).ok()?;
        Some(Self::Argon2id {
            argon2: Box::new(Argon2::new(Algorithm::Argon2id, version, params)),
            salt: hash.salt?,
            output: hash.hash?,
            is_current: version == Version::V0x13
                && ParamsString::try_from(&parameters()).ok()? == hash.params,
        })
    }

    /// Returns a hash that no password matches, with the cost of a new hash.
    pub(super) fn dummy() -> Option<Self> {
        Self::argon2id(&with_current_parameters(&random_bytes::<16>(), &random_bytes::<32>())?)
    }

    /// Returns whether it is the hash of `password`. The comparison takes constant time.
    pub(super) fn matches(&self, password: &[u8], memory: &mut HashMemory) -> bool {
        match self {
            Self::Argon2id { argon2, salt, output, .. } => {
                let mut buffer = [0; Output::MAX_LENGTH];
                let out = &mut buffer[..output.len()];
                memory.compute(argon2, password, salt, out).is_ok()
                    && Output::new(out).is_ok_and(|computed| computed == *output)
            }
            // bcrypt repeats its key after a NUL: `a` and `a\0a` would be equal.
            Self::Bcrypt(hash) => {
                !password.contains(&0) && bcrypt::verify(password, hash).unwrap_or_default()
            }
        }
    }

    /// Returns whether the hash covers all of a matching password. If not, other passwords with the same beginning match
    /// too. The typed one may be mistyped, so no new hash may be made of it. A password of exactly the maximum length may
    /// also be only the beginning of the right one.
    pub(super) const fn covers(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2id { .. } => true,
            Self::Bcrypt(_) => password.len() < BCRYPT_MAX_BYTES,
        }
    }

    /// Returns whether the hash has the algorithm and parameters of new hashes.
    pub(super) fn is_current(&self) -> bool {
        matches!(self, Self::Argon2id { is_current: true, .. })
    }
}

/// Rejects an imported hash that cannot be verified or costs too much. Accepted are Argon2id as a PHC string with its
/// version, up to 64 MiB, 10 passes and 4 lanes, and bcrypt as `$2b$` of cost 4 to 12.
///
/// # Errors
/// `VALIDATION_FAILED` for `field`.
pub fn check_imported_hash(field: &str, hash: &str) -> Result<()> {
    if StoredHash::parse(hash).is_some() {
        return Ok(());
    }
    let mut fields = FieldErrors::default();
    fields.add(
        field,
        "INVALID_FORMAT",
        "Must be an Argon2id PHC string (at most m=65536, t=10, p=4) or a bcrypt hash ($2b$) of cost 4 to 12.",
    );
    fields.into_result()
}

#[cfg(test)]
mod tests;
