//! What every request shares.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use insula_core::{credentials::Passwords, db::Db, page::Cursors, sessions::Tokens};

use crate::serve::Readiness;

/// What every request shares; made once at start.
pub struct State {
    /// The database.
    pub db: Db,
    /// Makes access tokens and verifies them.
    pub tokens: Tokens,
    /// Hashes passwords and verifies them.
    pub passwords: Passwords,
    /// Makes list cursors and reads them.
    pub cursors: Cursors,
    /// How long a session lives at most.
    pub session_ttl: Duration,
    /// Should load balancers send requests?
    pub readiness: Readiness,
    /// Is the schema the one this program knows? Set once.
    pub migrated: AtomicBool,
    /// `development` or `production`.
    pub environment: &'static str,
}

impl State {
    /// Is the schema the one this program knows?
    pub fn is_migrated(&self) -> bool {
        self.migrated.load(Relaxed)
    }
}
