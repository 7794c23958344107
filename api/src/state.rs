//! The state that all requests share.

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
        sessions::{
            AccessTokens, CsrfTokens, DeviceCookies, LoginSource, PasswordVerifier, RefreshTokens,
            SessionPolicy,
        },
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
    browser::{branding::Branding, cookies::Cookies, origins::Origins},
    operations::Operation,
    problem::Problem,
    server::Readiness,
};

/// The state that all requests share. It is created once at start.
pub struct AppState {
    /// The database connection pool.
    pub db: Db,
    /// Cache of sessions and permissions of callers.
    pub callers: AccessCache,
    /// Records refused requests in the audit log.
    pub refusals: RefusalLog,
    /// Creates and verifies access tokens.
    pub tokens: AccessTokens,
    /// Creates and parses refresh tokens.
    pub refresh: RefreshTokens,
    /// Creates and verifies CSRF tokens.
    pub csrf: CsrfTokens,
    /// Creates and verifies device cookies, which identify a known browser.
    pub devices: DeviceCookies,
    /// Names and attributes of cookies.
    pub cookies: Cookies,
    /// Origins whose pages can use these cookies.
    pub origins: Origins,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Creates and parses list cursors.
    pub cursors: CursorCodec,
    /// Signs the checkpoints of audit logs, and has the keys.
    pub signer: Signer,
    /// Key to compare bodies that contain a password.
    pub bodies: MacKey<32>,
    /// Creates the tokens in e-mails, and knows whether e-mail is configured.
    pub mail: EmailTokens,
    /// Captured e-mails, if none are sent. `None`: e-mails are sent.
    pub dev_mail: Option<DevInbox>,
    /// Rate limits of clients.
    pub limits: RateLimiter,
    /// Throttles password guessing.
    pub login_throttle: LoginThrottle,
    /// Proxies whose `X-Forwarded-For` is trusted. `None`: no proxy is trusted.
    pub trusted_proxies: Option<Networks>,
    /// Lifetime and maximum number of sessions.
    pub policy: SessionPolicy,
    /// Age up to which an account is new. New accounts have lower limits.
    pub new_account_age: Duration,
    /// Maximum number of organizations that one user can create.
    pub max_organizations: u64,
    /// Whether each user gets a personal organization at registration.
    pub personal_organizations: bool,
    /// Whether load balancers should send requests.
    pub readiness: Readiness,
    /// Whether the schema is current. It is set once.
    pub migrated: AtomicBool,
    /// Whether the web console is served.
    pub console: bool,
    /// `development` or `production`.
    pub environment: &'static str,
    /// Name, logo and colours of the product.
    pub branding: Arc<Branding>,
    /// Does the access log show paths that no route has?
    pub shows_unknown_paths: bool,
    /// Languages of e-mails, as BCP 47 language tags.
    pub locales: Vec<String>,
}

impl AppState {
    /// The verifier of passwords.
    pub fn verifier(&self) -> PasswordVerifier<'_> {
        let Self { db, passwords, login_throttle, devices, mail, .. } = self;
        PasswordVerifier { db, passwords, login_throttle, devices, hides_unverified: mail.hides_accounts }
    }

    /// The source of a password: the device, identified by a cookie of `request`, and its IP address
    /// `address`.
    pub fn login_source<'a>(&self, request: &'a Request, address: Option<&'a str>) -> LoginSource<'a> {
        LoginSource { address, device: self.cookies.device(request) }
    }

    /// Returns whether the schema is current.
    pub fn is_migrated(&self) -> bool {
        self.migrated.load(Relaxed)
    }

    /// Why load balancers should send no requests now. `None`: they should send requests.
    pub fn refusal(&self) -> Option<&'static str> {
        match () {
            () if !self.readiness.is_ready() => Some("draining"),
            () if !self.is_migrated() => Some("migrations are pending"),
            () => None,
        }
    }
}

/// Middleware: operations run only when the schema is current; probes and pages always run.
///
/// # Errors
/// `UNAVAILABLE` until the migrations are applied, and those of `endpoint`.
pub async fn when_migrated<E: Endpoint>(endpoint: Arc<E>, request: Request) -> poem::Result<E::Output> {
    let is_operation = request.data::<Arc<Operation>>().is_some();
    let is_migrated = request.data::<Arc<AppState>>().is_some_and(|state| state.is_migrated());
    match is_migrated || !is_operation {
        true => endpoint.call(request).await,
        false => Err(Problem(Error::Unavailable { retry_after: Duration::from_secs(2) }).into()),
    }
}
