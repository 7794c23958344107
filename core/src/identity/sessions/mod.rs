//! Sessions: each login is a row, and each access token refers to one. A token is valid only while its session is active.

mod create;
mod csrf;
mod entity;
mod password_login;
mod device_cookie;
mod presented;
mod refresh;
mod last_seen;
mod step_up;
mod token;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Asterisk, Expr, ExprTrait, Func, IntoCondition, JoinType, Order, Query},
};
use serde_json::json;

pub use create::{LoginDevice, create, log_in};
pub use csrf::CsrfTokens;
pub use device_cookie::{DeviceCookies, KNOWN_DEVICE_TTL};
pub use entity::Model as Session;
pub(crate) use entity::{Column, Entity};
pub(crate) use last_seen::record_last_seen;
pub use password_login::{LoginSource, PasswordVerifier};
pub(crate) use presented::note_presented;
pub use refresh::{Refresh, RefreshTokens, refresh};
pub use step_up::{authenticate_recent, reauthenticate};
pub use token::{AccessToken, AccessTokens, Claims};

use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        ids::{SessionId, UserId},
        permissions::Platform,
    },
    identity::users::{self, User},
    runtime::config::Config,
    storage::{
        audit::{Action, EventDetails},
        db::{Db, GlobalTable, GlobalTx, OrgTx, Unscoped},
    },
};

/// Lifetimes and maximum number of sessions, from the settings.
#[derive(Clone, Copy, Debug)]
pub struct SessionPolicy {
    /// A session expires this long after its start at the latest.
    pub absolute: Duration,
    /// A session expires when it is not refreshed for this long.
    pub idle: Duration,
    /// How long the previous refresh token can still be exchanged for the current one.
    pub grace: Duration,
    /// How long a login or reauthentication is recent enough for sensitive operations.
    pub step_up: Duration,
    /// Maximum number of sessions of one user. One more ends the oldest.
    pub max_sessions: u64,
}

impl From<&Config> for SessionPolicy {
    fn from(config: &Config) -> Self {
        Self {
            absolute: config.session_ttl,
            idle: config.session_idle_ttl,
            grace: config.refresh_grace,
            step_up: config.step_up_ttl,
            max_sessions: config.max_sessions,
        }
    }
}

/// Returns the user of a token, if the session and the account are active.
///
/// # Errors
/// `INVALID_TOKEN` otherwise.
pub async fn authenticate(db: &Db, claims: &Claims) -> Result<User> {
    authenticate_session(db, claims).await.map(|session| session.user)
}

/// The user and the session of a valid token.
#[derive(FromQueryResult)]
struct AuthenticatedSession {
    #[sea_orm(nested)]
    user: User,
    auth_time: DateTime<Utc>,
    presented_counter: i64,
}

/// Looks up the session with one query, and one more statement for the first token of a generation.
async fn authenticate_session(db: &Db, claims: &Claims) -> Result<AuthenticatedSession> {
    #[expect(
        clippy::disallowed_methods,
        reason = "users read their own account; users belong to no organization"
    )]
    let tx = db.unscoped().await?;
    let session = look_up(&tx, claims).await?;
    drop(tx);
    note_presented(db, claims, session.presented_counter).await;
    Ok(session)
}

async fn look_up(tx: &Unscoped, claims: &Claims) -> Result<AuthenticatedSession> {
    let mut query = Query::select();
    query
        .column((users::Entity, Asterisk))
        .column((Entity, Column::AuthTime))
        .column((Entity, Column::PresentedCounter))
        .from(users::Entity)
        .join(
            JoinType::InnerJoin,
            Entity,
            Expr::col((Entity, Column::UserId)).equals((users::Entity, users::Column::Id)),
        )
        .cond_where(valid(claims, tx.now()));
    tx.row(&query, Entity::NAME).await.map_err(|error| match error {
        Error::NotFound(_) => ErrorCode::InvalidToken.refuse(),
        error => error,
    })
}

/// Lists the active sessions of a user, the newest first.
///
/// # Errors
/// Any database error.
pub async fn list(db: &Db, user: UserId) -> Result<Vec<Session>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a user reads their own sessions; they belong to no organization"
    )]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column((Entity, Asterisk))
        .from(Entity)
        .cond_where(active(tx.now()).add(Column::UserId.eq(user)))
        .order_by((Entity, Column::Id), Order::Desc);
    tx.rows(&query).await
}

/// Counts the active sessions of all users.
///
/// # Errors
/// Any database error.
pub async fn count_active(db: &Db) -> Result<u64> {
    #[derive(FromQueryResult)]
    struct Count {
        sessions: i64,
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a number for operators; sessions belong to no organization"
    )]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query.expr_as(Func::count(Expr::col(Column::Id)), "sessions").from(Entity).cond_where(active(tx.now()));
    let counts = tx.rows::<Count>(&query).await?;
    Ok(counts.first().map_or(0, |count| u64::try_from(count.sessions).unwrap_or(0)))
}

/// Returns a session that has not ended.
pub(crate) async fn find_active(tx: &Unscoped, id: SessionId) -> Result<Option<Session>> {
    Ok(tx.all::<Entity>(active(tx.now()).add(Column::Id.eq(id))).await?.pop())
}

/// Fails if the session of the request was ended after it was authenticated. Call it while the row of the user is locked:
/// operations that end all sessions of a compromised account lock that row first.
///
/// # Errors
/// `INVALID_TOKEN`.
pub(crate) async fn still_signed_in(tx: &GlobalTx) -> Result<()> {
    let Some(session) = tx.origin().session else { return Ok(()) };
    let condition = active(tx.now()).add(Column::Id.eq(session));
    let found = tx.find::<Entity>().filter(condition).one().await?;
    found.map(drop).ok_or(ErrorCode::InvalidToken.refuse())
}

/// Which sessions of a user to revoke.
#[derive(Clone, Copy, Debug)]
pub enum RevokeScope {
    /// Only this session.
    One(SessionId),
    /// All sessions except this one.
    Others(SessionId),
    /// All sessions.
    All,
}

/// Revokes sessions of a user. Their access tokens become invalid at once.
///
/// # Errors
/// `NotFound` when the session of [`RevokeScope::One`] is not of this user, or has ended.
pub async fn revoke(tx: &GlobalTx, user: UserId, scope: RevokeScope, reason: &str) -> Result<()> {
    let active = active(tx.now()).add(Column::UserId.eq(user));
    let condition = match scope {
        RevokeScope::One(id) => active.add(Column::Id.eq(id)),
        RevokeScope::Others(id) => active.add(Column::Id.ne(id)),
        RevokeScope::All => active,
    };
    let (count, _) = end(tx, condition, Action::SessionRevoked, reason).await?;
    match (scope, count) {
        (RevokeScope::One(_), 0) => Err(Error::NotFound(Entity::NAME)),
        _ => Ok(()),
    }
}

/// Revokes the sessions that match `condition`. Returns their number, and the transaction of the platform for e-mails.
async fn end(
    tx: &GlobalTx,
    condition: impl IntoCondition,
    action: Action,
    reason: &str,
) -> Result<(usize, OrgTx<Platform>)> {
    let row = entity::ActiveModel {
        revoked_at: Set(Some(tx.now())),
        revoke_reason: Set(Some(reason.to_owned())),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    let ended = tx.update_where(row, condition).await?;
    let details = EventDetails::changed(json!({}), json!({ "reason": reason }));
    Ok((ended.len(), record_event(tx, action, &ended, &details).await?))
}

/// Records the same event for each session in the audit log of the platform. Returns its transaction, for e-mails.
async fn record_event(
    tx: &GlobalTx,
    action: Action,
    sessions: &[Session],
    details: &EventDetails,
) -> Result<OrgTx<Platform>> {
    let platform = tx.platform().await?;
    platform.record_all(action, sessions.iter().map(|session| session.id), details).await?;
    Ok(platform)
}

/// Returns the condition for sessions that have not ended at the instant `now`.
fn active(now: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(Column::RevokedAt.is_null())
        .add(Column::ExpiresAt.gt(now))
        .add(Column::IdleExpiresAt.gt(now))
}

/// Returns the condition for an active session with an active account at the instant `now`, for queries that join the
/// two.
pub(crate) fn valid(claims: &Claims, now: DateTime<Utc>) -> Condition {
    active(now)
        .add(Column::Id.eq(claims.session))
        .add(Column::UserId.eq(claims.user))
        .add(users::Column::IsActive.eq(true))
        .add(users::Column::DeletedAt.is_null())
}
