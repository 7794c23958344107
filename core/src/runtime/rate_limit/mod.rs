//! How often something may be asked for: one table of classes, counted in this process first and, where processes must agree,
//! in Redis.
//!
//! A bucket holds as many tokens as its quota says and is filled evenly (GCRA): whoever waits gets one after the other, and
//! nobody gets twice the quota around the turn of a minute. Where Redis is away each process allows its own part; none ever
//! allows everything.

mod bucket;
mod login_throttle;
mod store;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use bucket::Buckets;
pub(crate) use login_throttle::LoginAttempt;
pub use login_throttle::LoginThrottle;

use crate::{
    base::rate::Rate,
    runtime::{
        cluster::{RedisRateLimiter, RedisRateReply},
        config::Config,
    },
};

macro_rules! classes { ($($(#[$doc:meta])* $name:ident = $text:literal, $shared:literal, $setting:ident;)+) => {
    /// What is counted together.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum RateClass { $($(#[$doc])* $name),+ }

    impl RateClass {
        /// Every class.
        pub const ALL: &'static [Self] = &[$(Self::$name),+];

        /// As headers, the document and Redis spell it.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$name => $text),+ }
        }

        /// Do all processes count together?
        const fn is_shared(self) -> bool {
            match self { $(Self::$name => $shared),+ }
        }

        /// What the settings allow.
        fn quota(self, config: &Config) -> Rate {
            match self { $(Self::$name => config.$setting),+ }
        }
    }
}}

// Docs say what is counted; the settings say how many.
classes! {
    /// Everything from one address.
    Address = "address", false, limit_address;
    /// Log-ins from one IP address.
    LogIn = "log_in", true, limit_log_in;
    /// Registrations from one IP address.
    Register = "register", true, limit_register;
    /// Refreshes of one session.
    Refresh = "refresh", true, limit_refresh;
    /// Mails that somebody asks for without being signed in, from one address.
    Reset = "reset", true, limit_reset;
    /// Mails of that kind to one mailbox.
    Mailbox = "mailbox", true, limit_mailbox;
    /// Uses of mailed links, from one address.
    EmailLinks = "email_links", true, limit_email_links;
    /// Reads of one person.
    Read = "read", false, limit_read;
    /// Writes of one person.
    Write = "write", false, limit_write;
    /// Invitations of one organization.
    Invitations = "invitations", true, limit_invitations;
    /// Invitations of one person, wherever they invite.
    Inviter = "inviter", true, limit_inviter;
    /// The same, of a person whose account is new.
    NewInviter = "new_inviter", true, limit_new_inviter;
    /// Bulk requests of one organization.
    Bulk = "bulk", true, limit_bulk;
    /// Exports of one organization.
    Export = "export", true, limit_export;
    /// Platform administration requests of one superuser.
    Admin = "admin", false, limit_admin;
    /// Mails that are sent for one organization.
    OrganizationEmails = "organization_emails", true, limit_organization_emails;
    /// Mails that are sent to one mailbox.
    RecipientEmails = "recipient_emails", true, limit_recipient_emails;
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateStatus {
    /// What was counted.
    pub class: RateClass,
    /// How many there may be.
    pub quota: Rate,
    /// How many more there may be at once.
    pub remaining: u32,
    /// After this long there may be as many as the quota says again.
    pub reset: Duration,
    /// `None`: go on. Otherwise: not before this long.
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
    quota: Rate,
    /// As much as the quota says: a cheap no, before anybody else is asked.
    whole: Buckets,
    /// This process's part of it, where nobody else can be asked.
    part: Buckets,
}

impl RateLimiter {
    /// As the settings say. `counters`: where processes count together.
    pub fn new(config: &Config, counters: Option<RedisRateLimiter>) -> Self {
        let limit = |class: RateClass| {
            let quota = class.quota(config);
            let part = quota.share_of(config.replicas);
            Limit { class, quota, whole: Buckets::new(quota), part: Buckets::new(part) }
        };
        Self { classes: RateClass::ALL.iter().copied().map(limit).collect(), counters }
    }

    /// Takes a token out of the bucket `key` of the class.
    pub async fn take(&self, class: RateClass, key: &str) -> RateStatus {
        // The table has every class, in its order.
        let limit = &self.classes[class as usize];
        let verdict = |taken: bucket::Taken| RateStatus {
            class: limit.class,
            quota: limit.quota,
            remaining: taken.remaining,
            reset: taken.reset,
            wait: taken.wait,
        };
        let Some(counters) = self.counters.as_ref().filter(|_| class.is_shared()) else {
            return verdict(limit.part.take(key));
        };
        let here = limit.whole.take(key);
        if here.wait.is_some() {
            return verdict(here);
        }
        match counters.take(class.as_str(), key, limit.quota.interval(), limit.quota.count).await {
            Some(taken) => verdict(taken.into()),
            None => verdict(limit.part.take(key)),
        }
    }

    /// Forgets buckets that are full again.
    pub fn evict_idle(&self) {
        for limit in self.classes.iter() {
            limit.whole.tidy();
            limit.part.tidy();
        }
    }
}

/// Whom an address stands for: itself, or of an IPv6 one its /64, which is what one customer is given (RFC 6177 §2).
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !0 << 64).into(),
        address => address,
    }
}

impl From<RedisRateReply> for bucket::Taken {
    fn from(counted: RedisRateReply) -> Self {
        Self { remaining: counted.remaining, reset: counted.reset, wait: counted.wait }
    }
}
