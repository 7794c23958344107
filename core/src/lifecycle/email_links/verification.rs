//! Verify an e-mail address with an e-mailed link.
//!
//! Anyone can create an account with the e-mail address of another person, set its password and stay logged in. So
//! verification also requires proof that the password is the user's own, or a new password.

use serde_json::json;

use super::{LinkOutcome, consume_link, email_change, reset_access, revoke_access, verify_current_email};
use crate::{
    Result,
    base::{crypto::Secret, error::ErrorCode, ids::UserId},
    identity::{
        credentials::{self, PasswordProof},
        one_time_tokens::{EmailTokens, OneTimeToken, TokenPurpose},
        sessions,
        users::User,
    },
    storage::{
        audit::{Action, EventDetails},
        db::GlobalTx,
        outbox::Job,
    },
};

/// How the user who verifies the e-mail address of a new account proves that its password is their own.
pub enum Ownership {
    /// They are logged in to this account.
    Session(UserId),
    /// They know the password.
    Password(PasswordProof),
    /// They set a new password.
    NewPassword {
        /// The password of the account, in plain text.
        password: Secret<String>,
        /// Hash of the password.
        secret_hash: String,
    },
    /// No proof.
    Unknown,
}

/// The effect on the password and the sessions.
enum PasswordOutcome {
    /// Both stay.
    Kept,
    /// The password is new, and all sessions ended.
    Replaced,
    /// The account had no password. A token sets one.
    Without(Secret<String>),
}

/// Verifies the e-mail address of a link: that of a new account, or the new one of an existing account.
///
/// A new account keeps its password and sessions if the request comes from its own session or contains the password. A
/// new password ends the sessions.
///
/// # Errors
/// `PASSWORD_REQUIRED` for a new account without any proof; `PASSWORD_MISMATCH` if the password changed after it was
/// checked; `WEAK_PASSWORD` naming `new_password`; `LINK_EXPIRED`; `EMAIL_TAKEN` if another account has the new e-mail
/// address now. Except after `LINK_EXPIRED`, the link stays valid.
pub async fn verify(
    tx: &mut GlobalTx,
    mail: &EmailTokens,
    link: &OneTimeToken,
    ownership: Ownership,
) -> Result<LinkOutcome> {
    if link.purpose() == Some(TokenPurpose::Email) {
        return email_change::confirm(tx, link).await;
    }
    let user = consume_link(tx, link).await?;
    if user.email_verified_at.is_some() {
        return Err(ErrorCode::LinkExpired.refuse());
    }
    let had_password = credentials::has_password(tx, user.id).await?;
    let user = verify_current_email(tx, user).await?;
    let outcome = resolve_ownership(tx, mail, &user, had_password, ownership).await?;
    let platform = tx.platform().await?;
    let facts = |verified, has_password| json!({ "email_verified": verified, "has_password": has_password });
    let has_password = !matches!(outcome, PasswordOutcome::Without(_));
    let details = EventDetails::changed(facts(false, had_password), facts(true, has_password));
    platform.record(Action::UserEmailVerified, user.id, details).await?;
    if matches!(outcome, PasswordOutcome::Replaced) && had_password {
        let details = EventDetails::created(json!({ "kind": "password" }));
        platform.record(Action::UserPasswordChanged, user.id, details).await?;
    }
    platform.enqueue(&Job::SendWelcome { user: user.id }).await?;
    let reset = match outcome {
        PasswordOutcome::Without(token) => Some(token),
        PasswordOutcome::Kept | PasswordOutcome::Replaced => None,
    };
    Ok(LinkOutcome { user, reset })
}

async fn resolve_ownership(
    tx: &GlobalTx,
    mail: &EmailTokens,
    user: &User,
    had_password: bool,
    ownership: Ownership,
) -> Result<PasswordOutcome> {
    const REASON: &str = "mailbox proved elsewhere";
    match ownership {
        Ownership::Session(user_id) if user_id == user.id => {
            // A session that ended meanwhile proves nothing.
            sessions::still_signed_in(tx).await?;
            Ok(PasswordOutcome::Kept)
        }
        Ownership::Password(proof) if proof.user == user.id => {
            match credentials::is_current(tx, &proof).await? {
                true => Ok(PasswordOutcome::Kept),
                false => Err(credentials::mismatch("password")),
            }
        }
        Ownership::NewPassword { password, secret_hash } => {
            let about = [user.email.as_str(), user.username.as_deref().unwrap_or_default()];
            credentials::refuse_weak("new_password", &password, &about)?;
            credentials::set(tx, user.id, secret_hash).await?;
            revoke_access(tx, user, REASON).await?;
            Ok(PasswordOutcome::Replaced)
        }
        _ if !had_password => Ok(PasswordOutcome::Without(reset_access(tx, mail, user, REASON).await?)),
        _ => Err(ErrorCode::PasswordRequired.refuse()),
    }
}
