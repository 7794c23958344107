//! What the processes of one installation tell each other: what was touched, so that none of them answers from memory
//! what is no longer so.
//!
//! Inside a process at once; between processes through Redis, best effort and never awaited by a request. Nothing
//! depends on it alone: what is remembered ends by time too ([`Remembered`]).

mod redis_rate_limiter;
mod invalidation_log;
mod redis_pubsub;
mod invalidating_cache;

use std::{fmt, sync::Arc};

pub use invalidating_cache::InvalidatingCache;
use invalidation_log::InvalidationLog;
pub use redis_rate_limiter::{RedisRateLimiter, RedisRateReply};

pub use self::redis_pubsub::{RedisPubSub, client as redis_client};
use crate::{
    base::ids::{OrgId, SessionId, UserId},
    runtime::config::{Config, ConfigError},
};

/// The names of one installation in a Redis that others may use too: keys, channels and lists.
#[derive(Clone, Debug)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// Of the installation with this id, which no other installation has.
    pub fn of(installation: &str) -> Self {
        Self(installation.into())
    }

    /// The full name of something that this installation calls `name`.
    pub fn name(&self, name: &str) -> String {
        format!("insula:{}:{name}", self.0)
    }
}

/// A thing of which a row was changed. Whoever remembers something that depends on it asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invalidation {
    /// One log-in.
    Session(SessionId),
    /// A person: his account, or what he belongs to.
    User(UserId),
    /// An organization: itself, its members, their roles.
    Org(OrgId),
    /// No telling what: everything.
    Everything,
}

/// This process's place among those of its installation. Cheap to clone; the default is a process alone.
#[derive(Clone, Default)]
pub struct Cluster {
    touched: Arc<InvalidationLog>,
    others: Option<redis_pubsub::Outgoing>,
    counters: Option<RedisRateLimiter>,
}

impl Cluster {
    /// As the settings say, by the names of this installation. Where they name a Redis there is a [`Link`] to run; no
    /// connection is made before that.
    ///
    /// # Errors
    /// A `REDIS_URL` that cannot be read.
    pub fn new(config: &Config, namespace: &Namespace) -> Result<(Self, Option<RedisPubSub>), ConfigError> {
        let touched = Arc::<InvalidationLog>::default();
        let Some(url) = &config.redis_url else { return Ok((Self { touched, ..Self::default() }, None)) };
        let unreadable = |fault| ConfigError(vec![format!("REDIS_URL: {fault}")]);
        let linked = redis_pubsub::link(url.expose(), config, namespace.clone(), Arc::clone(&touched));
        let (others, link) = linked.map_err(unreadable)?;
        let counters = Some(link.counters(config.redis_timeout));
        Ok((Self { touched, others: Some(others), counters }, Some(link)))
    }

    /// Where the processes count together; `None`: each for itself.
    pub fn counters(&self) -> Option<RedisRateLimiter> {
        self.counters.clone()
    }

    /// Makes everybody forget what depends on `touches`: this process before it returns, the others soon.
    pub fn publish(&self, touches: &[Invalidation]) {
        for touch in touches {
            self.touched.note(*touch);
            if let Some(others) = &self.others {
                others.send(*touch);
            }
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("alone", &self.others.is_none()).finish()
    }
}
