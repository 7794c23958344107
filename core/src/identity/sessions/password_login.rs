//! Password verification with throttling. Clients that guess passwords must wait. The user of the account does not have to
//! wait on known devices and networks.

use std::{net::IpAddr, sync::LazyLock};

use opentelemetry::{KeyValue, metrics::Counter};
use sea_orm::{
    FromQueryResult,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{Column, DeviceCookies, Entity, KNOWN_DEVICE_TTL};
use crate::{
    Result,
    base::{
        crypto::Secret,
        error::ErrorCode,
        ids::{SessionId, UserId},
    },
    identity::credentials::{self, PasswordProof, Passwords},
    runtime::{
        rate_limit::{LoginThrottle, network},
        telemetry::metrics::meter,
    },
    storage::{audit::RequestTrail, db::Db},
};

static LOGINS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter()
        .u64_counter("insula.auth.logins")
        .with_unit("{login}")
        .with_description("Logins by method and outcome")
        .build()
});

/// The origin of a login attempt.
#[derive(Clone, Copy, Debug)]
pub struct LoginSource<'a> {
    /// IP address. `None` if unknown.
    pub address: Option<&'a str>,
    /// The device token that the client sent, not verified yet ([`DeviceCookies::issue`]).
    pub device: Option<&'a str>,
}

/// Verifies passwords. Every attempt counts towards the limit of its account. It is noted in the [`RequestTrail`], which
/// brings failed attempts into the audit log.
#[derive(Clone, Copy)]
pub struct PasswordVerifier<'a> {
    /// The database with the accounts.
    pub db: &'a Db,
    /// The hashing threads.
    pub passwords: &'a Passwords,
    /// Limits the wrong passwords of each account.
    pub login_throttle: &'a LoginThrottle,
    /// Reads device tokens.
    pub devices: &'a DeviceCookies,
    /// Whether a login to an account with an unverified e-mail address fails as if the account did not exist. It is set
    /// where existing accounts are hidden: otherwise a login after a registration would show whether it created the
    /// account.
    pub hides_unverified: bool,
}

impl PasswordVerifier<'_> {
    /// Verifies the e-mail address or username and the password of a login.
    ///
    /// # Errors
    /// - `INVALID_CREDENTIALS`, with the same answer after the same time whether the login or the password is wrong, or
    ///   [`PasswordVerifier::hides_unverified`] applies.
    /// - `RATE_LIMITED` after five wrong passwords in 15 minutes, whether the account exists or not. A device or network
    ///   (IPv6: /64) that has logged in to it in the last 30 days has its own count.
    /// - `INACTIVE_USER`, only if the password is right.
    /// - `Unavailable` when too many users log in at once.
    pub async fn log_in(
        &self,
        login: &str,
        password: Secret<String>,
        source: LoginSource<'_>,
        trail: &RequestTrail,
    ) -> Result<PasswordProof> {
        let outcome = self.log_in_uncounted(login, password, source, trail).await;
        let label = outcome.as_ref().map_or_else(|error| error.code().as_str(), |_| "done");
        LOGINS.add(1, &[KeyValue::new("method", "password"), KeyValue::new("outcome", label)]);
        outcome
    }

    async fn log_in_uncounted(
        &self,
        login: &str,
        password: Secret<String>,
        source: LoginSource<'_>,
        trail: &RequestTrail,
    ) -> Result<PasswordProof> {
        let candidate = credentials::find_login(self.db, login).await?;
        let user = candidate.as_ref().map(|candidate| candidate.id);
        let name = credentials::canonical(login);
        // The key stays the same when an account is registered, so that the count does not reveal a registration.
        let unknown_source = candidate.as_ref().map_or(&name, |candidate| &candidate.email_canonical);
        let unknown_source = self.login_throttle.unknown_account_key(unknown_source);
        trail.set_login_claim(name, user);
        let key = self.throttle_key(user, source, unknown_source).await?;
        let attempt = self.login_throttle.attempt(key).await?;
        let candidate =
            candidate.filter(|candidate| candidate.email_verified_at.is_some() || !self.hides_unverified);
        credentials::verify(self.db, self.passwords, attempt, candidate, password).await
    }

    /// Verifies the password of a known user again. `field` is the field for the error. From an unknown device and
    /// network, wrong passwords count for the `session` alone.
    ///
    /// # Errors
    /// `PASSWORD_MISMATCH` when the password is wrong or the user has none; the others as [`PasswordVerifier::log_in`].
    pub async fn confirm(
        &self,
        (user, session): (UserId, Option<SessionId>),
        (field, password): (&str, Secret<String>),
        source: LoginSource<'_>,
        trail: &RequestTrail,
    ) -> Result<PasswordProof> {
        let candidate = credentials::find_by_user(self.db, user).await?;
        let unknown_source = match (session, &candidate) {
            (Some(session), _) => format!("{user}@{session}"),
            (None, Some(candidate)) => self.login_throttle.unknown_account_key(&candidate.email_canonical),
            (None, None) => user.to_string(),
        };
        trail.set_login_claim(user.to_string(), Some(user));
        let key = self.throttle_key(Some(user), source, unknown_source).await?;
        let attempt = self.login_throttle.attempt(key).await?;
        let outcome = credentials::verify(self.db, self.passwords, attempt, candidate, password).await;
        outcome.map_err(|error| match error.code() {
            ErrorCode::InvalidCredentials => credentials::mismatch(field),
            _ => error,
        })
    }

    /// Returns the key that an attempt is counted by: the account with a known device or network, otherwise
    /// `unknown_source`. It runs the same queries whether the account exists or not.
    async fn throttle_key(
        &self,
        user: Option<UserId>,
        source: LoginSource<'_>,
        unknown_source: String,
    ) -> Result<String> {
        let device = user.zip(source.device);
        let device = device.and_then(|(user, token)| self.devices.read(user, token, self.db.now()));
        if let (Some(user), Some(device)) = (user, device) {
            return Ok(format!("{user}@{device}"));
        }
        let network = source.address.and_then(parse_network);
        let known = self.known_networks(user.unwrap_or(UserId(uuid::Uuid::nil()))).await?;
        Ok(match (user, network) {
            (Some(user), Some(network)) if known.contains(&network) => format!("{user}@{network}"),
            _ => unknown_source,
        })
    }

    /// Returns the networks from which a user logged in during the last [`KNOWN_DEVICE_TTL`].
    async fn known_networks(&self, user: UserId) -> Result<Vec<IpAddr>> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the user is not logged in yet; sessions belong to no organization"
        )]
        let tx = self.db.unscoped().await?;
        let mut query = Query::select();
        query
            .distinct()
            .column(Column::Ip)
            .from(Entity)
            .and_where(Expr::col(Column::UserId).eq(user))
            .and_where(Expr::col(Column::CreatedAt).gt(tx.now() - KNOWN_DEVICE_TTL));
        let known: Vec<LoginIp> = tx.rows(&query).await?;
        Ok(known.iter().filter_map(|login| parse_network(login.ip.as_deref()?)).collect())
    }
}

#[derive(FromQueryResult)]
struct LoginIp {
    ip: Option<String>,
}

/// Returns the network of an IP address.
fn parse_network(address: &str) -> Option<IpAddr> {
    address.parse().ok().map(network)
}
