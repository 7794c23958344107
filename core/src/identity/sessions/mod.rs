//! Log-ins: each is a row, each access token names one, and a token is worth what its session is worth now.

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
    sea_query::{Asterisk, Expr, ExprTrait, IntoCondition, JoinType, Order, Query},
};
use serde_json::json;

pub use create::{Device, create, log_in};
pub use csrf::CsrfTokens;
pub use device_cookie::{DeviceCookies, KNOWN};
pub use entity::Model as Session;
pub(crate) use entity::{Column, Entity};
pub(crate) use last_seen::seen;
pub use password_login::{LoginSource, Verifier};
pub(crate) use presented::note_presented;
pub use refresh::{Refresh, RefreshTokens, refresh};
pub use step_up::{authenticate_recent, reauthenticate};
pub use token::{AccessToken, Claims, Tokens};

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
        audit::{Action, Details},
        db::{Db, GlobalTable, GlobalTx, OrgTx, Unscoped},
    },
};

/// How long sessions live, and how many. From the settings.
#[derive(Clone, Copy, Debug)]
pub struct SessionPolicy {
    /// Ends this long after its beginning at the latest.
    pub absolute: Duration,
    /// Ends when it is not refreshed for this long.
    pub idle: Duration,
    /// How long the refresh token before the current one still gets the current one.
    pub grace: Duration,
    /// How long a proof of identity is fresh.
    pub step_up: Duration,
    /// Most of one person; one more ends the oldest.
    pub most: u64,
}

impl From<&Config> for SessionPolicy {
    fn from(config: &Config) -> Self {
        Self {
            absolute: config.session_ttl,
            idle: config.session_idle_ttl,
            grace: config.refresh_grace,
            step_up: config.step_up_ttl,
            most: config.max_sessions,
        }
    }
}

/// The person behind a token, if his session and his account are still good.
///
/// # Errors
/// `INVALID_TOKEN` otherwise.
pub async fn authenticate(db: &Db, claims: &Claims) -> Result<User> {
    behind(db, claims).await.map(|behind| behind.user)
}

/// Who and what is behind a token that is good.
#[derive(FromQueryResult)]
struct Behind {
    #[sea_orm(nested)]
    user: User,
    auth_time: DateTime<Utc>,
    presented_counter: i64,
}

/// In one query, and one statement more for the first token of a generation.
async fn behind(db: &Db, claims: &Claims) -> Result<Behind> {
    #[expect(clippy::disallowed_methods, reason = "a person reads himself; users belong to no organization")]
    let tx = db.unscoped().await?;
    let behind = look_up(&tx, claims).await?;
    drop(tx);
    note_presented(db, claims, behind.presented_counter).await;
    Ok(behind)
}

async fn look_up(tx: &Unscoped, claims: &Claims) -> Result<Behind> {
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
        .cond_where(good(claims, tx.now()));
    tx.row(&query, Entity::NAME).await.map_err(|error| match error {
        Error::NotFound(_) => ErrorCode::InvalidToken.refuse(),
        error => error,
    })
}

/// The living sessions of a person, the newest first.
///
/// # Errors
/// Whatever the database refuses.
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
        .cond_where(living(tx.now()).add(Column::UserId.eq(user)))
        .order_by((Entity, Column::Id), Order::Desc);
    tx.rows(&query).await
}

/// Refuses who was logged out since he was asked who he is. To be called while the row of his person is locked: whoever
/// ends all his sessions because they may be a thief's locks it first.
///
/// # Errors
/// `INVALID_TOKEN`.
pub(crate) async fn still_signed_in(tx: &GlobalTx) -> Result<()> {
    let Some(session) = tx.origin().session else { return Ok(()) };
    let living = living(tx.now()).add(Column::Id.eq(session));
    let found = tx.find::<Entity>().filter(living).one().await?;
    found.map(drop).ok_or(ErrorCode::InvalidToken.refuse())
}

/// Which of a person's sessions are to end.
#[derive(Clone, Copy, Debug)]
pub enum RevokeScope {
    /// This one.
    One(SessionId),
    /// All but this one.
    Others(SessionId),
    /// All.
    All,
}

/// Ends sessions of a person; their access tokens are worth nothing from then on.
///
/// # Errors
/// `NotFound` when the one to end is not his, or has ended.
pub async fn revoke(tx: &GlobalTx, user: UserId, which: RevokeScope, reason: &str) -> Result<()> {
    let active = living(tx.now()).add(Column::UserId.eq(user));
    let ended = match which {
        RevokeScope::One(id) => active.add(Column::Id.eq(id)),
        RevokeScope::Others(id) => active.add(Column::Id.ne(id)),
        RevokeScope::All => active,
    };
    let (ended, _) = end(tx, ended, Action::SessionRevoked, reason).await?;
    match (which, ended) {
        (RevokeScope::One(_), 0) => Err(Error::NotFound(Entity::NAME)),
        _ => Ok(()),
    }
}

/// Ends the sessions that `condition` names; says how many there were, and gives the platform's scope for mails.
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
    let details = Details::changed(json!({}), json!({ "reason": reason }));
    Ok((ended.len(), tell(tx, action, &ended, &details).await?))
}

/// Writes the same event of each session into the platform's log; gives that scope, for mails.
async fn tell(
    tx: &GlobalTx,
    action: Action,
    sessions: &[Session],
    details: &Details,
) -> Result<OrgTx<Platform>> {
    let platform = tx.platform().await?;
    platform.record_all(action, sessions.iter().map(|session| session.id), details).await?;
    Ok(platform)
}

/// Sessions that have not ended at the instant `now`.
fn living(now: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(Column::RevokedAt.is_null())
        .add(Column::ExpiresAt.gt(now))
        .add(Column::IdleExpiresAt.gt(now))
}

/// What makes a session and its account good at the instant `now`; for queries that join the two.
pub(crate) fn good(claims: &Claims, now: DateTime<Utc>) -> Condition {
    living(now)
        .add(Column::Id.eq(claims.session))
        .add(Column::UserId.eq(claims.user))
        .add(users::Column::IsActive.eq(true))
        .add(users::Column::DeletedAt.is_null())
}
