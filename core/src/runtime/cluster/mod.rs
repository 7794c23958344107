//! Cache invalidation between the processes of one installation.
//!
//! Inside a process it takes effect immediately. Between processes it goes through Redis, best effort, and requests
//! never wait for it. Nothing depends on it alone, because cache entries also expire ([`InvalidatingCache`]).

mod redis_inspection;
mod redis_metrics;
mod redis_rate_limiter;
mod invalidation_log;
mod redis_pubsub;
mod invalidating_cache;

use std::{fmt, sync::Arc};

pub use invalidating_cache::InvalidatingCache;
use invalidation_log::InvalidationLog;
pub use redis_inspection::{RedisFacts, inspect_redis};
pub use redis_rate_limiter::{RedisRateLimiter, RedisRateReply};

pub use self::redis_pubsub::{RedisPubSub, client as redis_client};
use crate::{
    base::ids::{OrgId, SessionId, UserId},
    runtime::config::{Config, ConfigError},
};

/// The prefix of one installation in a Redis that others may use, too: for keys, channels and lists.
#[derive(Clone, Debug)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// The namespace of the installation with this id, which is unique.
    pub fn of(installation: &str) -> Self {
        Self(installation.into())
    }

    /// The full name of a key, channel or list.
    pub fn name(&self, name: &str) -> String {
        format!("insula:{}:{name}", self.0)
    }
}

/// Something of which a row was changed. Caches look up again what depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invalidation {
    /// One session.
    Session(SessionId),
    /// A user: the account and the memberships.
    User(UserId),
    /// An organization: itself, its members and their roles.
    Org(OrgId),
    /// Any organization: invalidated together with each of them. Only a dependency of what is cached, such as which
    /// memberships a user has; it is never published.
    AnyOrg,
    /// Everything, when it is unknown what was changed.
    Everything,
}

/// The connection of this process to the other processes of its installation. Cheap to clone. The default has no
/// connection.
#[derive(Clone, Default)]
pub struct Cluster {
    invalidation_log: Arc<InvalidationLog>,
    others: Option<redis_pubsub::Outgoing>,
    redis_rate_limiter: Option<RedisRateLimiter>,
}

impl Cluster {
    /// Creates the cluster for these settings. If they contain a Redis URL, it also returns a [`RedisPubSub`] to run.
    /// No connection is opened before that.
    ///
    /// # Errors
    /// If `REDIS_URL` is invalid.
    pub fn new(config: &Config, namespace: &Namespace) -> Result<(Self, Option<RedisPubSub>), ConfigError> {
        let invalidation_log = Arc::<InvalidationLog>::default();
        let Some(url) = &config.redis_url else {
            return Ok((Self { invalidation_log, ..Self::default() }, None));
        };
        let unreadable = |fault| ConfigError(vec![format!("REDIS_URL: {fault}")]);
        let created =
            redis_pubsub::new_pubsub(url.expose(), config, namespace.clone(), Arc::clone(&invalidation_log));
        let (others, pubsub) = created.map_err(unreadable)?;
        let redis_rate_limiter = Some(pubsub.rate_limiter(config.redis_timeout));
        Ok((Self { invalidation_log, others: Some(others), redis_rate_limiter }, Some(pubsub)))
    }

    /// The rate limiter that all processes share; `None` without Redis.
    pub fn redis_rate_limiter(&self) -> Option<RedisRateLimiter> {
        self.redis_rate_limiter.clone()
    }

    /// Invalidates everything that depends on `invalidations`: in this process before it returns, in the others shortly
    /// afterwards.
    pub fn publish(&self, invalidations: &[Invalidation]) {
        for invalidation in invalidations {
            self.invalidation_log.record(*invalidation);
            if let Some(others) = &self.others {
                others.send(*invalidation);
            }
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("alone", &self.others.is_none()).finish()
    }
}
