//! Another password.

use serde_json::json;

use crate::{
    Result,
    audit::{Action, Details},
    credentials,
    db::Tx,
    ids::{OrgId, SessionId, UserId},
    one_time_tokens::{self, Purpose},
    outbox::Job,
    sessions::{self, Ending},
};

/// Gives a person another password, by its hash. Every log-in but this `session` ends, and he is told by mail.
///
/// # Errors
/// Whatever the database refuses.
pub async fn change_password(tx: &Tx, user: UserId, session: SessionId, secret_hash: String) -> Result<()> {
    credentials::set(tx, user, secret_hash).await?;
    sessions::revoke(tx, user, Ending::Others(session), "password-changed").await?;
    // Whoever knew the old one may have asked for them.
    one_time_tokens::kill(tx, user, &[Purpose::Reset, Purpose::Email]).await?;
    #[expect(clippy::disallowed_methods, reason = "accounts stand in the platform's log")]
    let platform = tx.enter(OrgId::PLATFORM).await?;
    let details = Details::created(json!({ "kind": "password" }));
    platform.record(Action::UserPasswordChanged, user, details).await?;
    platform.enqueue(&Job::SendPasswordChanged { user }).await?;
    Ok(())
}
