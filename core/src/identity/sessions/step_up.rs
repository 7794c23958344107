//! Step-up authentication: sensitive operations need a recent login or reauthentication (ASVS 5.0 7.5.1).

use std::time::Duration;

use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::{AuthenticatedSession, Claims, authenticate_session, entity, record_event};
use crate::{
    Result,
    base::ids::SessionId,
    identity::{
        credentials::{self, PasswordProof},
        users::{self, User},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{Db, GlobalTx},
    },
};

/// Returns the user of a token, and whether they entered the password at most `ttl` ago.
///
/// # Errors
/// `INVALID_TOKEN` when the session or the account is not active.
pub async fn authenticate_recent(db: &Db, claims: &Claims, ttl: Duration) -> Result<(User, bool)> {
    let AuthenticatedSession { user, auth_time, .. } = authenticate_session(db, claims).await?;
    let is_recent = auth_time + ttl > db.now();
    Ok((user, is_recent))
}

/// Stores that the user of a session has entered their password again.
///
/// # Errors
/// `PASSWORD_MISMATCH` for `field` when the password was changed since it was verified; `INVALID_TOKEN`.
pub async fn reauthenticate(
    tx: &GlobalTx,
    session: SessionId,
    proof: &PasswordProof,
    field: &str,
) -> Result<()> {
    users::lock(tx, proof.user).await?;
    super::still_signed_in(tx).await?;
    if !credentials::is_current(tx, proof).await? {
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
    let details = EventDetails::changed(json!({}), json!({ "amr": session.amr }));
    record_event(tx, Action::SessionReauthenticated, &[session], &details).await.map(drop)
}
