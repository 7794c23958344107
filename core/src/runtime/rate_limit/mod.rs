//! Rate limits: one table of classes, counted in this process first and in Redis for the classes that all processes
//! share.
//!
//! A bucket holds as many tokens as its rate allows and is refilled evenly (GCRA). Clients that wait get one token
//! after the other, and no client gets twice the rate around the turn of a minute. If Redis is unavailable, each
//! process applies its own share of the rate; the limits are never off.

mod bucket;
mod login_throttle;
mod store;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, LazyLock},
    time::Duration,
};

use bucket::Buckets;
pub(crate) use login_throttle::LoginAttempt;
pub use login_throttle::LoginThrottle;
use opentelemetry::{KeyValue, metrics::Counter};

use crate::{
    base::rate::Rate,
    runtime::{
        cluster::{RedisRateLimiter, RedisRateReply},
        config::Config,
        telemetry::metrics::meter,
    },
};

static DECISIONS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter()
        .u64_counter("insula.rate_limit.decisions")
        .with_unit("{decision}")
        .with_description("Decisions of rate limits, by class and outcome")
        .build()
});

macro_rules! classes { ($($(#[$doc:meta])* $name:ident = $text:literal, $shared:literal, $setting:ident;)+) => {
    /// What is counted together.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum RateClass { $($(#[$doc])* $name),+ }

    impl RateClass {
        /// Every class.
        pub const ALL: &'static [Self] = &[$(Self::$name),+];

        /// The name in headers, the OpenAPI document and Redis.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$name => $text),+ }
        }

        /// Do all processes share the counters?
        const fn is_shared(self) -> bool {
            match self { $(Self::$name => $shared),+ }
        }

        /// The rate in the settings.
        fn rate(self, config: &Config) -> Rate {
            match self { $(Self::$name => config.$setting),+ }
        }
    }
}}

// Docs say what is counted; the settings say how many.
classes! {
    /// All requests from one IP address.
    Address = "address", false, limit_address;
    /// Log-ins from one IP address.
    LogIn = "log_in", true, limit_log_in;
    /// Registrations from one IP address.
    Register = "register", true, limit_register;
    /// Refreshes of one session.
    Refresh = "refresh", true, limit_refresh;
    /// Requests for e-mailed links without login, from one IP address.
    Reset = "reset", true, limit_reset;
    /// Requests for e-mailed links to one e-mail address.
    Mailbox = "mailbox", true, limit_mailbox;
    /// Uses of e-mailed links, from one IP address.
    EmailLinks = "email_links", true, limit_email_links;
    /// Read requests of one user.
    Read = "read", false, limit_read;
    /// Write requests of one user.
    Write = "write", false, limit_write;
    /// Invitations of one organization.
    Invitations = "invitations", true, limit_invitations;
    /// Invitations sent by one user, in all organizations together.
    Inviter = "inviter", true, limit_inviter;
    /// Invitations sent by one user whose account is new.
    NewInviter = "new_inviter", true, limit_new_inviter;
    /// Bulk requests of one organization.
    Bulk = "bulk", true, limit_bulk;
    /// Exports of one organization.
    Export = "export", true, limit_export;
    /// Platform administration requests of one superuser.
    Admin = "admin", false, limit_admin;
    /// E-mails sent for one organization.
    OrganizationEmails = "organization_emails", true, limit_organization_emails;
    /// E-mails sent to one e-mail address.
    RecipientEmails = "recipient_emails", true, limit_recipient_emails;
}

/// The state of a limit after a token was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateStatus {
    /// The class of the limit.
    pub class: RateClass,
    /// The rate of the class.
    pub rate: Rate,
    /// The number of tokens left.
    pub remaining: u32,
    /// The time until the bucket is full.
    pub reset: Duration,
    /// `None` if the request is allowed; otherwise, how long to wait.
    pub wait: Option<Duration>,
}

/// The limits of one process. Cheap to clone.
#[derive(Clone)]
pub struct RateLimiter {
    classes: Arc<[Limit]>,
    counters: Option<RedisRateLimiter>,
}

struct Limit {
    class: RateClass,
    rate: Rate,
    /// The full rate. It refuses cheaply, before Redis is asked.
    full_rate: Buckets,
    /// The share of this process, for when Redis is unavailable.
    local_share: Buckets,
}

impl RateLimiter {
    /// Limits for these settings. `counters`: the counters that all processes share.
    pub fn new(config: &Config, counters: Option<RedisRateLimiter>) -> Self {
        let limit = |class: RateClass| {
            let rate = class.rate(config);
            let share = rate.share_of(config.replicas);
            Limit { class, rate, full_rate: Buckets::new(rate), local_share: Buckets::new(share) }
        };
        Self { classes: RateClass::ALL.iter().copied().map(limit).collect(), counters }
    }

    /// Takes a token from the bucket `key` of the class.
    pub async fn take(&self, class: RateClass, key: &str) -> RateStatus {
        let status = self.take_uncounted(class, key).await;
        let outcome = if status.wait.is_none() { "allowed" } else { "refused" };
        DECISIONS.add(1, &[KeyValue::new("policy", class.as_str()), KeyValue::new("outcome", outcome)]);
        status
    }

    async fn take_uncounted(&self, class: RateClass, key: &str) -> RateStatus {
        // The table contains every class, in the order of the enum.
        let limit = &self.classes[class as usize];
        let status = |taken: bucket::TakeResult| RateStatus {
            class: limit.class,
            rate: limit.rate,
            remaining: taken.remaining,
            reset: taken.reset,
            wait: taken.wait,
        };
        let Some(counters) = self.counters.as_ref().filter(|_| class.is_shared()) else {
            return status(limit.local_share.take(key));
        };
        let local = limit.full_rate.take(key);
        if local.wait.is_some() {
            return status(local);
        }
        match counters.take(class.as_str(), key, limit.rate.interval(), limit.rate.count).await {
            Some(taken) => status(taken.into()),
            None => status(limit.local_share.take(key)),
        }
    }

    /// Removes the buckets that are full again.
    pub fn evict_idle(&self) {
        for limit in self.classes.iter() {
            limit.full_rate.evict_idle();
            limit.local_share.evict_idle();
        }
    }
}

/// The network that an IP address is counted as: the address itself, or the /64 of an IPv6 address, which is what one
/// customer gets (RFC 6177 §2).
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !0 << 64).into(),
        address => address,
    }
}

impl From<RedisRateReply> for bucket::TakeResult {
    fn from(reply: RedisRateReply) -> Self {
        Self { remaining: reply.remaining, reset: reply.reset, wait: reply.wait }
    }
}
