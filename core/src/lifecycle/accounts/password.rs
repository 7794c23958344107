//! Another password.

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
        audit::{Action, Details},
        db::GlobalTx,
        outbox::Job,
    },
};

/// Gives a person another password, by its hash. Every log-in but this `session` ends, and he is told by mail.
///
/// # Errors
/// `PASSWORD_MISMATCH` naming `field` when the password was changed since it was proved; `INVALID_TOKEN` when he was
/// logged out.
pub async fn change_password(
    tx: &GlobalTx,
    proof: &PasswordProof,
    field: &str,
    session: SessionId,
    secret_hash: String,
) -> Result<User> {
    // Locked, so that whoever set another password, or logged him out, is seen: he may be a thief.
    let person = users::lock(tx, proof.user).await?;
    let user = person.id;
    sessions::still_signed_in(tx).await?;
    if !credentials::is_current(tx, proof).await? {
        return Err(credentials::mismatch(field));
    }
    credentials::set(tx, user, secret_hash).await?;
    sessions::revoke(tx, user, RevokeScope::Others(session), "password-changed").await?;
    // Whoever knew the old one may have asked for them.
    one_time_tokens::revoke(tx, user, &[TokenPurpose::Reset, TokenPurpose::Email]).await?;
    let platform = tx.platform().await?;
    let details = Details::created(json!({ "kind": "password" }));
    platform.record(Action::UserPasswordChanged, user, details).await?;
    platform.enqueue(&Job::SendPasswordChanged { user }).await?;
    Ok(person)
}
