//! The one way to verify a password. Who guesses at passwords waits; whose account it is does not, where they have logged in
//! before.

use std::net::IpAddr;

use sea_orm::{
    FromQueryResult,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{Column, DeviceCookies, Entity, KNOWN};
use crate::{
    Result,
    base::{
        crypto::Secret,
        error::ErrorCode,
        ids::{SessionId, UserId},
    },
    identity::credentials::{self, PasswordProof, Passwords},
    runtime::rate_limit::{LoginThrottle, network},
    storage::{audit::RequestTrail, db::Db},
};

/// From where somebody tries.
#[derive(Clone, Copy, Debug)]
pub struct LoginSource<'a> {
    /// The address.
    pub address: Option<&'a str>,
    /// The token of a device that has logged in before; that of [`DeviceTokens::issue`], if it is true.
    pub device: Option<&'a str>,
}

/// Verifies passwords. Every attempt counts to the limit of its account, and is noted on the request's trail, by which a
/// failed one gets into the audit log.
#[derive(Clone, Copy)]
pub struct Verifier<'a> {
    /// Where the accounts are.
    pub db: &'a Db,
    /// Hashes what was typed.
    pub passwords: &'a Passwords,
    /// The limit.
    pub guesses: &'a LoginThrottle,
    /// Reads the token of a known device.
    pub devices: &'a DeviceCookies,
    /// Does an account whose address nobody has proved count as none at the log-in? Where it is hidden which addresses have
    /// an account: whoever registers one and then logs in would learn whether it was new.
    pub hides_unproved: bool,
}

impl Verifier<'_> {
    /// The person whose e-mail address or username and password these are.
    ///
    /// # Errors
    /// `INVALID_CREDENTIALS`, the same and after the same time whether the name or the password is wrong, or
    /// [`Verifier::hides_unproved`]; `RATE_LIMITED`
    /// after five wrong ones in 15 minutes, whether there is such an account or not: who has logged in to it on this
    /// device, or from this network (IPv6: this /64), in the last 30 days waits for their own wrong ones alone;
    /// `INACTIVE_USER`, only to who knows the password; `Unavailable` when too many log in at once.
    pub async fn log_in(
        &self,
        login: &str,
        password: Secret<String>,
        whence: LoginSource<'_>,
        trail: &RequestTrail,
    ) -> Result<PasswordProof> {
        let claimed = credentials::find_login(self.db, login).await?;
        let user = claimed.as_ref().map(|claimed| claimed.id);
        let name = credentials::canonical(login);
        // The same name before and after somebody registers with it, so that the count does not tell whether it was new.
        let strangers = claimed.as_ref().map_or(&name, |claimed| &claimed.email_canonical);
        let strangers = self.guesses.unknown_account_key(strangers);
        trail.claims(name, user);
        let attempt = self.guesses.attempt(self.bucket(user, whence, strangers).await?).await?;
        let claimed = claimed.filter(|claimed| claimed.email_verified_at.is_some() || !self.hides_unproved);
        credentials::verify(self.db, self.passwords, attempt, claimed, password).await
    }

    /// Is it the password of a person who is known already? `field` names it where it is not. `session`: by which log-in
    /// they ask; from a place that is not known to the account, what is guessed in it counts for it alone.
    ///
    /// # Errors
    /// `PASSWORD_MISMATCH` where it is another, or there is none; the others as [`Verifier::log_in`].
    pub async fn confirm(
        &self,
        (user, session): (UserId, Option<SessionId>),
        (field, password): (&str, Secret<String>),
        whence: LoginSource<'_>,
        trail: &RequestTrail,
    ) -> Result<PasswordProof> {
        let claimed = credentials::of(self.db, user).await?;
        let elsewhere = match (session, &claimed) {
            (Some(session), _) => format!("{user}@{session}"),
            (None, Some(claimed)) => self.guesses.unknown_account_key(&claimed.email_canonical),
            (None, None) => user.to_string(),
        };
        trail.claims(user.to_string(), Some(user));
        let attempt = self.guesses.attempt(self.bucket(Some(user), whence, elsewhere).await?).await?;
        let outcome = credentials::verify(self.db, self.passwords, attempt, claimed, password).await;
        outcome.map_err(|error| match error.code() {
            ErrorCode::InvalidCredentials => credentials::mismatch(field),
            _ => error,
        })
    }

    /// What an attempt is counted by: the account together with the device or the network it was used from before, or
    /// `elsewhere`. By the same queries whether there is an account.
    async fn bucket(
        &self,
        user: Option<UserId>,
        whence: LoginSource<'_>,
        elsewhere: String,
    ) -> Result<String> {
        let device = user.zip(whence.device);
        let device = device.and_then(|(user, token)| self.devices.read(user, token, self.db.now()));
        if let (Some(user), Some(device)) = (user, device) {
            return Ok(format!("{user}@{device}"));
        }
        let here = whence.address.and_then(neighbours);
        let known = self.networks(user.unwrap_or(UserId(uuid::Uuid::nil()))).await?;
        Ok(match (user, here) {
            (Some(user), Some(here)) if known.contains(&here) => format!("{user}@{here}"),
            _ => elsewhere,
        })
    }

    /// From where a person has logged in lately.
    async fn networks(&self, user: UserId) -> Result<Vec<IpAddr>> {
        #[expect(
            clippy::disallowed_methods,
            reason = "who logs in is nobody yet; sessions belong to no organization"
        )]
        let tx = self.db.unscoped().await?;
        let mut query = Query::select();
        query
            .distinct()
            .column(Column::Ip)
            .from(Entity)
            .and_where(Expr::col(Column::UserId).eq(user))
            .and_where(Expr::col(Column::CreatedAt).gt(tx.now() - KNOWN));
        let known: Vec<From> = tx.rows(&query).await?;
        Ok(known.iter().filter_map(|from| neighbours(from.ip.as_deref()?)).collect())
    }
}

#[derive(FromQueryResult)]
struct From {
    ip: Option<String>,
}

fn neighbours(address: &str) -> Option<IpAddr> {
    address.parse().ok().map(network)
}
