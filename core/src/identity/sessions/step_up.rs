//! Step-up: what is dear needs a proof of identity that is fresh (ASVS 5.0 7.5.1).

use std::time::Duration;

use sea_orm::ActiveValue::Set;
use serde_json::json;

use super::{Behind, Claims, behind, entity, tell};
use crate::{
    Result,
    base::ids::SessionId,
    identity::{
        credentials::{self, PasswordProof},
        users::{self, User},
    },
    storage::{
        audit::{Action, Details},
        db::{Db, GlobalTx},
    },
};

/// The person behind a token, and whether he proved who he is at most `ttl` ago.
///
/// # Errors
/// `INVALID_TOKEN` when session or account are no longer good.
pub async fn authenticate_recent(db: &Db, claims: &Claims, ttl: Duration) -> Result<(User, bool)> {
    let Behind { user, auth_time, .. } = behind(db, claims).await?;
    let is_recent = auth_time + ttl > db.now();
    Ok((user, is_recent))
}

/// Notes that the person of a session has proved again who he is.
///
/// # Errors
/// `PASSWORD_MISMATCH` naming `field` when the password was changed since it was proved; `INVALID_TOKEN`.
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
    let details = Details::changed(json!({}), json!({ "amr": session.amr }));
    tell(tx, Action::SessionReauthenticated, &[session], &details).await.map(drop)
}
