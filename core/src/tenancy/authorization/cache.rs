//! The access cache: sessions and permissions of callers, cached for a short time, so that a read needs no query for them.
//!
//! Only reads use the cache. It stores only positive answers; negative answers always query the database.

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
        ids::{OrgId, SessionId, UserId},
        permissions::{Authorized, RequiredPermission},
    },
    identity::{
        sessions::{self, Claims},
        users::User,
    },
    runtime::cluster::{InvalidatingCache, Invalidation},
    storage::db::Db,
    tenancy::{members, organizations::OrgRef},
};

/// Maximum number of sessions that wait for [`AccessCache::record_last_seen`]. More sessions are recorded at a later use.
const MAX_SEEN: usize = 10_000;

/// The cache key of a token: session, user and generation. So the first token of a generation always queries the database,
/// which stores that it was presented.
type TokenKey = (SessionId, UserId, i64);

fn token_key(claims: &Claims) -> TokenKey {
    (claims.session, claims.user, claims.generation)
}

/// The access cache. There is one per process.
pub struct AccessCache {
    db: Db,
    users: InvalidatingCache<TokenKey, Arc<User>>,
    access: InvalidatingCache<(TokenKey, OrgRef), Arc<CallerAccess>>,
    /// The default organization of a user, by the one that they chose.
    default_orgs: InvalidatingCache<(UserId, Option<OrgId>), Option<OrgId>>,
    /// The sessions that were used since the last [`AccessCache::record_last_seen`].
    seen: Mutex<HashSet<SessionId>>,
}

impl AccessCache {
    /// `ttl`: how long a change by another process can stay unnoticed without Redis. Zero disables the cache.
    pub fn new(db: Db, ttl: Duration) -> Self {
        let (users, access) =
            (InvalidatingCache::new(db.cluster(), ttl), InvalidatingCache::new(db.cluster(), ttl));
        let default_orgs = InvalidatingCache::new(db.cluster(), ttl);
        Self { db, users, access, default_orgs, seen: Mutex::default() }
    }

    /// Authenticates a token with a query, as [`sessions::authenticate`].
    ///
    /// # Errors
    /// Those of [`sessions::authenticate`].
    pub async fn authenticate(&self, claims: &Claims) -> Result<User> {
        let user = sessions::authenticate(&self.db, claims).await?;
        self.mark_seen(claims.session);
        Ok(user)
    }

    /// Authenticates a token, from the cache if possible. Only for reads; writes use [`AccessCache::authenticate`].
    ///
    /// # Errors
    /// Those of [`sessions::authenticate`].
    pub async fn authenticate_read(&self, claims: &Claims) -> Result<User> {
        let key = token_key(claims);
        if let Some(user) = self.users.get(&key) {
            self.mark_seen(claims.session);
            return Ok(User::clone(&user));
        }
        let lookup = self.users.begin_lookup();
        let user = self.authenticate(claims).await?;
        let depends_on = [Invalidation::Session(claims.session), Invalidation::User(claims.user)];
        self.users.insert(key, Arc::new(user.clone()), lookup, &depends_on);
        Ok(user)
    }

    /// The default organization of a user, as [`members::default_organization`], from the cache if possible.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn default_organization(&self, user: &User) -> Result<Option<OrgId>> {
        let key = (user.id, user.default_organization_id);
        if let Some(default) = self.default_orgs.get(&key) {
            return Ok(default);
        }
        let lookup = self.default_orgs.begin_lookup();
        let default = members::default_organization(&self.db, user).await?;
        self.default_orgs.insert(key, default, lookup, &[Invalidation::AnyOrg]);
        Ok(default)
    }

    /// Authorizes a caller as [`authorize`], from the cache if possible and if `P` only reads.
    ///
    /// # Errors
    /// Those of [`authorize`].
    pub async fn authorize<P: RequiredPermission>(
        &self,
        caller: &Caller,
        org: &OrgRef,
    ) -> Result<Authorized<P>> {
        // Each access of a superuser is recorded in the audit log.
        let proof = match P::WRITES || caller.platform_access.is_some() {
            true => authorize(&self.db, caller, org).await?,
            false => self.authorize_read(caller, org).await?,
        };
        self.mark_seen(caller.claims.session);
        Ok(proof)
    }

    async fn authorize_read<P: RequiredPermission>(
        &self,
        caller: &Caller,
        org: &OrgRef,
    ) -> Result<Authorized<P>> {
        let claims = &caller.claims;
        let key = (token_key(claims), org.clone());
        if let Some(access) = self.access.get(&key)
            && let Ok(proof) = access.grants(caller)
        {
            access.note_in_trail(caller);
            return Ok(proof);
        }
        let lookup = self.access.begin_lookup();
        let access = CallerAccess::look_up(&self.db, caller, org).await?;
        let proof = access.decide(&self.db, caller).await?;
        let depends_on = [
            Invalidation::Session(claims.session),
            Invalidation::User(claims.user),
            Invalidation::Org(access.organization),
        ];
        self.access.insert(key, Arc::new(access), lookup, &depends_on);
        Ok(proof)
    }

    fn mark_seen(&self, session: SessionId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MAX_SEEN {
            seen.insert(session);
        }
    }

    /// Stores which sessions were used since the last call. The interval of the calls is the precision of `last_seen_at`.
    ///
    /// # Errors
    /// Any database error. The next use of a session marks it again.
    pub async fn record_last_seen(&self) -> Result<()> {
        let seen = mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        match seen.is_empty() {
            true => Ok(()),
            false => sessions::record_last_seen(&self.db, seen).await,
        }
    }
}
