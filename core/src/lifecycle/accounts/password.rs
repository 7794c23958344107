//! Change a user's password.

use serde_json::json;

use crate::{
    Result,
    base::ids::SessionId,
    identity::{
        credentials::{self, PasswordProof},
        one_time_tokens::{self, TokenPurpose},
        sessions::{self, RevokeScope},
        users::{self, User},
    },
    storage::{
        audit::{Action, EventDetails},
        db::GlobalTx,
        outbox::Job,
    },
};

/// Sets a new password by its hash. All sessions except `session` end, and the user gets an e-mail.
///
/// # Errors
/// `PASSWORD_MISMATCH` naming `field` if the password changed after it was checked; `INVALID_TOKEN` if the session
/// ended.
pub async fn change_password(
    tx: &GlobalTx,
    proof: &PasswordProof,
    field: &str,
    session: SessionId,
    secret_hash: String,
) -> Result<User> {
    // Locked, so that this sees a concurrent new password or logout. This request may come from an attacker.
    let locked_user = users::lock(tx, proof.user).await?;
    let user = locked_user.id;
    sessions::still_signed_in(tx).await?;
    if !credentials::is_current(tx, proof).await? {
        return Err(credentials::mismatch(field));
    }
    credentials::set(tx, user, secret_hash).await?;
    sessions::revoke(tx, user, RevokeScope::Others(session), "password-changed").await?;
    // Somebody who knew the old password may have requested them.
    one_time_tokens::revoke(tx, user, &[TokenPurpose::Reset, TokenPurpose::Email]).await?;
    let platform = tx.platform().await?;
    let details = EventDetails::created(json!({ "kind": "password" }));
    platform.record(Action::UserPasswordChanged, user, details).await?;
    platform.enqueue(&Job::SendPasswordChanged { user }).await?;
    Ok(locked_user)
}
