//! Log-ins: each is a row, each access token names one, and a token is worth what its session is worth now.

mod entity;
mod seen;
mod token;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition,
    sea_query::{Asterisk, Expr, ExprTrait, JoinType, Order, Query},
};
use serde_json::json;

pub use entity::Model as Session;
pub(crate) use entity::{Column, Entity};
pub(crate) use seen::seen;
pub use token::{AccessToken, Claims, Tokens};

use crate::{
    Error, Result,
    access::Actor,
    audit::{Action, Details},
    db::{Db, GlobalTable, Tx},
    error::Code,
    ids::{OrgId, SessionId, UserId},
    users::{self, User},
};

/// What is known of the device that logs in.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Its address.
    pub ip: Option<String>,
    /// Its `User-Agent`, cut to 500 characters.
    pub user_agent: Option<String>,
}

/// Starts a session of a person who has just proved who he is. `ttl`: how long it lives at most.
///
/// # Errors
/// Whatever the database refuses.
pub async fn create(tx: &mut Tx, user: UserId, device: Device, ttl: Duration) -> Result<(Session, User)> {
    tx.acting(Actor::User(user));
    let now = tx.now();
    let session = tx
        .insert(entity::ActiveModel {
            id: Set(SessionId::new(now)),
            user_id: Set(user),
            amr: Set("pwd".to_owned()),
            auth_time: Set(now),
            ip: Set(device.ip),
            user_agent: Set(device.user_agent.map(|agent| agent.chars().take(500).collect())),
            device_name: Set(None),
            refresh_counter: Set(1),
            refreshed_at: Set(now),
            last_seen_at: Set(now),
            idle_expires_at: Set(now + ttl),
            expires_at: Set(now + ttl),
            revoked_at: Set(None),
            revoke_reason: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        })
        .await?;
    let user = users::logged_in(tx, user).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "log-ins stand in the platform's log: they belong to no organization"
    )]
    let platform = tx.enter(OrgId::PLATFORM).await?;
    platform
        .record(Action::SessionCreated, session.id, Details::created(json!({ "amr": session.amr })))
        .await?;
    Ok((session, user))
}

/// The person behind a token, if his session and his account are still good.
///
/// # Errors
/// `INVALID_TOKEN` otherwise.
pub async fn authenticate(db: &Db, claims: &Claims) -> Result<User> {
    #[expect(clippy::disallowed_methods, reason = "a person reads himself; users belong to no organization")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column((users::Entity, Asterisk))
        .from(users::Entity)
        .join(
            JoinType::InnerJoin,
            Entity,
            Expr::col((Entity, Column::UserId)).equals((users::Entity, users::Column::Id)),
        )
        .cond_where(good(claims, tx.now()));
    let user = tx.row(&query, "session").await;
    user.map_err(|error| match error {
        Error::NotFound(_) => Code::InvalidToken.refuse(),
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
        reason = "a person reads his own; sessions belong to no organization"
    )]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column((Entity, Asterisk))
        .from(Entity)
        .cond_where(living(user, tx.now()))
        .order_by((Entity, Column::Id), Order::Desc);
    tx.rows(&query).await
}

/// Which of a person's sessions are to end.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
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
pub async fn revoke(tx: &Tx, user: UserId, which: Ending, reason: &str) -> Result<()> {
    let condition = match which {
        Ending::One(id) => living(user, tx.now()).add(Column::Id.eq(id)),
        Ending::Others(id) => living(user, tx.now()).add(Column::Id.ne(id)),
        Ending::All => living(user, tx.now()),
    };
    let sessions = tx.find::<Entity>().filter(condition).all_locked().await?;
    if sessions.is_empty() && matches!(which, Ending::One(_)) {
        return Err(Error::NotFound(Entity::NAME));
    }
    for session in &sessions {
        let row = entity::ActiveModel {
            id: Set(session.id),
            revoked_at: Set(Some(tx.now())),
            revoke_reason: Set(Some(reason.to_owned())),
            updated_at: Set(tx.now()),
            ..Default::default()
        };
        tx.update(row).await?;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "log-outs stand in the platform's log: they belong to no organization"
    )]
    let platform = tx.enter(OrgId::PLATFORM).await?;
    for session in &sessions {
        let details = Details::changed(json!({}), json!({ "reason": reason }));
        platform.record(Action::SessionRevoked, session.id, details).await?;
    }
    Ok(())
}

/// A person's sessions that have not ended at the instant `now`.
fn living(user: UserId, now: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(Column::UserId.eq(user))
        .add(Column::RevokedAt.is_null())
        .add(Column::ExpiresAt.gt(now))
}

/// What makes a session and its account good at the instant `now`; for queries that join the two.
pub(crate) fn good(claims: &Claims, now: DateTime<Utc>) -> Condition {
    living(claims.user, now)
        .add(Column::Id.eq(claims.session))
        .add(users::Column::IsActive.eq(true))
        .add(users::Column::DeletedAt.is_null())
}
