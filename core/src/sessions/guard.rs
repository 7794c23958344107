//! Who guesses at passwords waits; whose account it is does not, where he has logged in before.

use std::net::IpAddr;

use sea_orm::{
    FromQueryResult,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{Column, DeviceTokens, Entity, KNOWN};
use crate::{
    Error, Result,
    audit::Trail,
    credentials::{self, Passwords, Proof},
    db::Db,
    error::Code,
    ids::UserId,
    limits::{Guesses, network},
    secret::Secret,
    text,
};

/// From where somebody tries.
#[derive(Clone, Copy, Debug)]
pub struct Whence<'a> {
    /// The address.
    pub address: Option<&'a str>,
    /// The token of a device that has logged in before; that of [`DeviceTokens::issue`], if it is true.
    pub device: Option<&'a str>,
}

/// As [`credentials::check`], for those who can go on guessing.
///
/// # Errors
/// Those of [`credentials::check`]; `RATE_LIMITED` after five wrong ones in 15 minutes, whether there is such an account or
/// not. Whoever has logged in to it on this device, or from this network (IPv6: this /64), in the last 30 days waits for his own
/// wrong ones alone.
pub async fn prove(
    db: &Db,
    (passwords, guesses, devices): (&Passwords, &Guesses, &DeviceTokens),
    (login, password): (&str, Secret<String>),
    whence: Whence<'_>,
    trail: &Trail,
) -> Result<Proof> {
    let claimed = credentials::claim(db, login, trail).await?;
    let user = claimed.as_ref().map(|claimed| claimed.id);
    let known = user.zip(whence.device).and_then(|(user, token)| devices.read(user, token, db.now()));
    let account = match (user, known) {
        (Some(user), Some(device)) => format!("{user}@{device}"),
        _ => account(db, guesses, user, login, whence.address).await?,
    };
    if let Some(retry_after) = guesses.wait(&account).await {
        return Err(Error::Limited { retry_after });
    }
    let outcome = credentials::verify(db, passwords, claimed, password).await;
    match &outcome {
        Ok(_) => guesses.right(&account).await,
        Err(error) if error.code() == Code::InvalidCredentials => guesses.wrong(&account).await,
        Err(_) => {}
    }
    outcome
}

#[derive(FromQueryResult)]
struct From {
    ip: Option<String>,
}

/// What stands for the account, and for the network where that is known to it. By the same queries whether there is one.
async fn account(
    db: &Db,
    guesses: &Guesses,
    user: Option<UserId>,
    login: &str,
    address: Option<&str>,
) -> Result<String> {
    let here = address.and_then(neighbours);
    let of_nobody = UserId(uuid::Uuid::nil());
    #[expect(
        clippy::disallowed_methods,
        reason = "who logs in is nobody yet; sessions belong to no organization"
    )]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .distinct()
        .column(Column::Ip)
        .from(Entity)
        .and_where(Expr::col(Column::UserId).eq(user.unwrap_or(of_nobody)))
        .and_where(Expr::col(Column::CreatedAt).gt(tx.now() - KNOWN));
    let known: Vec<From> = tx.rows(&query).await?;
    let mut known = known.iter().filter_map(|from| neighbours(from.ip.as_deref()?));
    Ok(match (user, here) {
        (Some(user), Some(here)) if known.any(|known| known == here) => format!("{user}@{here}"),
        (Some(user), _) => user.to_string(),
        (None, _) => guesses.nobody(&text::key(login.trim())),
    })
}

fn neighbours(address: &str) -> Option<IpAddr> {
    address.parse().ok().map(network)
}
