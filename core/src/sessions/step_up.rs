//! Step-up: what is dear needs a proof of identity that is fresh (ASVS 5.0 7.5.1).

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    FromQueryResult,
    sea_query::{Asterisk, Expr, ExprTrait, JoinType, Query},
};
use serde_json::json;

use super::{Claims, Column, Entity, entity, good, tell};
use crate::{
    Error, Result,
    audit::{Action, Details},
    credentials::{self, Proof},
    db::{Db, Tx},
    error::Code,
    ids::SessionId,
    users::{self, User},
};

#[derive(FromQueryResult)]
struct Proved {
    #[sea_orm(nested)]
    user: User,
    auth_time: DateTime<Utc>,
}

/// The person behind a token, and whether he proved who he is at most `ttl` ago.
///
/// # Errors
/// `INVALID_TOKEN` when session or account are no longer good.
pub async fn authenticate_recent(db: &Db, claims: &Claims, ttl: Duration) -> Result<(User, bool)> {
    #[expect(clippy::disallowed_methods, reason = "a person reads himself; users belong to no organization")]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query
        .column((users::Entity, Asterisk))
        .column((Entity, Column::AuthTime))
        .from(users::Entity)
        .join(
            JoinType::InnerJoin,
            Entity,
            Expr::col((Entity, Column::UserId)).equals((users::Entity, users::Column::Id)),
        )
        .cond_where(good(claims, tx.now()));
    let proved: Proved = tx.row(&query, "session").await.map_err(|error| match error {
        Error::NotFound(_) => Code::InvalidToken.refuse(),
        error => error,
    })?;
    let is_recent = proved.auth_time + ttl > tx.now();
    Ok((proved.user, is_recent))
}

/// Notes that the person of a session has proved again who he is.
///
/// # Errors
/// `PASSWORD_MISMATCH` naming `field` when the password was changed since it was proved; `INVALID_TOKEN`.
pub async fn reauthenticate(tx: &Tx, session: SessionId, proof: &Proof, field: &str) -> Result<()> {
    users::lock(tx, proof.user).await?;
    super::still_signed_in(tx).await?;
    if !credentials::holds(tx, proof).await? {
        return Err(credentials::mismatch(field));
    }
    let now = tx.now();
    let row = entity::ActiveModel {
        id: Set(session),
        auth_time: Set(now),
        last_seen_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let session = tx.update(row).await?;
    let details = Details::changed(json!({}), json!({ "amr": session.amr }));
    tell(tx, Action::SessionReauthenticated, &[session], &details).await.map(drop)
}
