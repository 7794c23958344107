//! What every request shares.

use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use insula_core::{
    Error,
    base::{crypto::MacKey, pagination::CursorCodec},
    identity::{
        credentials::Passwords,
        one_time_tokens::EmailTokens,
        sessions::{CsrfTokens, DeviceCookies, LoginSource, RefreshTokens, SessionPolicy, Tokens, Verifier},
    },
    runtime::{
        config::Networks,
        rate_limit::{LoginThrottle, RateLimiter},
    },
    storage::{audit::RefusalLog, audit_chain::Signer, db::Db, emails::DevInbox},
    tenancy::authorization::AccessCache,
};

use poem::{Endpoint, Request};

use crate::{
    browser::{cookies::Cookies, origins::Origins},
    operations::Operation,
    problem::Problem,
    server::Readiness,
};

/// What every request shares; made once at start.
pub struct State {
    /// The database.
    pub db: Db,
    /// Who callers are and what they may do.
    pub callers: AccessCache,
    /// Writes down what is refused.
    pub refusals: RefusalLog,
    /// Makes access tokens and verifies them.
    pub tokens: Tokens,
    /// Makes refresh tokens and reads them.
    pub refresh: RefreshTokens,
    /// Makes CSRF tokens and verifies them.
    pub csrf: CsrfTokens,
    /// Makes the tokens by which a browser is known again.
    pub devices: DeviceCookies,
    /// How a browser keeps the tokens.
    pub cookies: Cookies,
    /// Whose pages may act with those cookies.
    pub origins: Origins,
    /// Hashes passwords and verifies them.
    pub passwords: Passwords,
    /// Makes list cursors and reads them.
    pub cursors: CursorCodec,
    /// Signs what audit logs have come to, and knows the keys.
    pub signer: Signer,
    /// Compares bodies that hold a password.
    pub bodies: MacKey<32>,
    /// Makes the tokens that are mailed; knows whether anything sends mail.
    pub mail: EmailTokens,
    /// Keeps the mails, where none leaves.
    pub dev_mail: Option<DevInbox>,
    /// How often clients may ask.
    pub limits: RateLimiter,
    /// Who guesses at passwords.
    pub guesses: LoginThrottle,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Option<Networks>,
    /// How long sessions live, and how many.
    pub policy: SessionPolicy,
    /// How young an account is new; what it may do is bounded more tightly.
    pub new_account_age: Duration,
    /// Most organizations that one person may found.
    pub max_organizations: u64,
    /// Does everybody who registers get an organization of his own?
    pub personal_organizations: bool,
    /// Should load balancers send requests?
    pub readiness: Readiness,
    /// Is the schema the one this program knows? Set once.
    pub migrated: AtomicBool,
    /// `development` or `production`.
    pub environment: &'static str,
}

impl State {
    /// What verifies passwords.
    pub fn verifier(&self) -> Verifier<'_> {
        let Self { db, passwords, guesses, devices, mail, .. } = self;
        Verifier { db, passwords, guesses, devices, hides_unproved: mail.hides_accounts }
    }

    /// From where a password comes: the device is known by a cookie of `request`, which came from `address`.
    pub fn whence<'a>(&self, request: &'a Request, address: Option<&'a str>) -> LoginSource<'a> {
        LoginSource { address, device: self.cookies.device(request) }
    }

    /// Is the schema the one this program knows?
    pub fn is_migrated(&self) -> bool {
        self.migrated.load(Relaxed)
    }

    /// Why load balancers should send nothing now, where they should not.
    pub fn refusal(&self) -> Option<&'static str> {
        match () {
            () if !self.readiness.is_ready() => Some("draining"),
            () if !self.is_migrated() => Some("migrations are pending"),
            () => None,
        }
    }
}

/// Middleware: no operation runs on a schema that this program does not know; probes and pages do.
///
/// # Errors
/// `UNAVAILABLE` until the migrations are applied, and those of `endpoint`.
pub async fn when_migrated<E: Endpoint>(endpoint: Arc<E>, request: Request) -> poem::Result<E::Output> {
    let is_operation = request.data::<Arc<Operation>>().is_some();
    let is_migrated = request.data::<Arc<State>>().is_some_and(|state| state.is_migrated());
    match is_migrated || !is_operation {
        true => endpoint.call(request).await,
        false => Err(Problem(Error::Unavailable { retry_after: Duration::from_secs(2) }).into()),
    }
}
