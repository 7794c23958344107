//! Who callers are and what they may do, remembered for a moment, so that a read costs no look-up of rights.
//!
//! Only reads believe what is remembered, and only a yes: a no is always looked up.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::tenancy::authorization::{Caller, CallerAccess, authorize};
use crate::{
    Result,
    base::{
        ids::{SessionId, UserId},
        permissions::{Authorized, RequiredPermission},
    },
    identity::{
        sessions::{self, Claims},
        users::User,
    },
    runtime::cluster::{InvalidatingCache, Invalidation},
    storage::db::Db,
    tenancy::organizations::OrgRef,
};

/// Most sessions noted as seen between two writings; of more, some are seen later.
const MOST_SEEN: usize = 10_000;

/// What is looked up of a token: session, person and generation. The first token of a generation is always looked up, so that
/// it is written down that it was presented.
type Token = (SessionId, UserId, i64);

fn token(claims: &Claims) -> Token {
    (claims.session, claims.user, claims.generation)
}

/// One of a process.
pub struct AccessCache {
    db: Db,
    people: InvalidatingCache<Token, Arc<User>>,
    standings: InvalidatingCache<(Token, OrgRef), Arc<CallerAccess>>,
    /// The sessions that called since they were last written down.
    seen: Mutex<HashSet<SessionId>>,
}

impl AccessCache {
    /// `ttl`: how long a change made by another process may go unnoticed when no Redis tells of it; zero remembers nothing.
    pub fn new(db: Db, ttl: Duration) -> Self {
        let (people, standings) =
            (InvalidatingCache::new(db.cluster(), ttl), InvalidatingCache::new(db.cluster(), ttl));
        Self { db, people, standings, seen: Mutex::default() }
    }

    /// As [`sessions::authenticate`]: asks the database.
    ///
    /// # Errors
    /// Those of [`sessions::authenticate`].
    pub async fn authenticate(&self, claims: &Claims) -> Result<User> {
        let user = sessions::authenticate(&self.db, claims).await?;
        self.see(claims.session);
        Ok(user)
    }

    /// As [`sessions::authenticate`], from memory where it can be. For reads: what is written asks the database.
    ///
    /// # Errors
    /// Those of [`sessions::authenticate`].
    pub async fn recognize(&self, claims: &Claims) -> Result<User> {
        let key = token(claims);
        if let Some(user) = self.people.get(&key) {
            self.see(claims.session);
            return Ok(User::clone(&user));
        }
        let asked = self.people.begin_lookup();
        let user = self.authenticate(claims).await?;
        let depends_on = [Invalidation::Session(claims.session), Invalidation::User(claims.user)];
        self.people.insert(key, Arc::new(user.clone()), asked, &depends_on);
        Ok(user)
    }

    /// As [`authorize`], from memory where it can be and `P` only reads.
    ///
    /// # Errors
    /// Those of [`authorize`].
    pub async fn authorize<P: RequiredPermission>(
        &self,
        caller: &Caller,
        org: &OrgRef,
    ) -> Result<Authorized<P>> {
        // What an operator looks at is written down each time.
        let proof = match P::WRITES || caller.platform_access.is_some() {
            true => authorize(&self.db, caller, org).await?,
            false => self.authorize_read(caller, org).await?,
        };
        self.see(caller.claims.session);
        Ok(proof)
    }

    async fn authorize_read<P: RequiredPermission>(
        &self,
        caller: &Caller,
        org: &OrgRef,
    ) -> Result<Authorized<P>> {
        let claims = &caller.claims;
        let key = (token(claims), org.clone());
        if let Some(standing) = self.standings.get(&key)
            && let Ok(proof) = standing.grants(caller)
        {
            standing.note(caller);
            return Ok(proof);
        }
        let asked = self.standings.begin_lookup();
        let standing = CallerAccess::look_up(&self.db, caller, org).await?;
        let proof = standing.decide(&self.db, caller).await?;
        let depends_on = [
            Invalidation::Session(claims.session),
            Invalidation::User(claims.user),
            Invalidation::Org(standing.organization),
        ];
        self.standings.insert(key, Arc::new(standing), asked, &depends_on);
        Ok(proof)
    }

    fn see(&self, session: SessionId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MOST_SEEN {
            seen.insert(session);
        }
    }

    /// Writes down which sessions called since the last time this was done: `last_seen_at` is as exact as this is often.
    ///
    /// # Errors
    /// Whatever the database refuses; who calls again is seen again.
    pub async fn record_last_seen(&self) -> Result<()> {
        let seen = mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        match seen.is_empty() {
            true => Ok(()),
            false => sessions::record_last_seen(&self.db, seen).await,
        }
    }
}
