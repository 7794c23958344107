//! Verifying an address by a mailed link.
//!
//! Anybody can open an account with an address that is not theirs, set its password and stay signed in. So the mailbox alone
//! does not keep them: the person who verifies shows that the password is theirs, or sets another.

use serde_json::json;

use super::{LinkOutcome, email_change, follow, prove, shut_out, take_over};
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
        audit::{Action, Details},
        db::GlobalTx,
        outbox::Job,
    },
};

/// How the person who verifies a new account's address shows that its password is theirs.
pub enum Ownership {
    /// They are signed in to this account.
    Session(UserId),
    /// They know the password.
    Password(PasswordProof),
    /// They set another password.
    NewPassword {
        /// The password.
        password: Secret<String>,
        /// Its hash.
        secret_hash: String,
    },
    /// Not at all.
    Unknown,
}

/// What becomes of the password and the sessions.
enum Outcome {
    /// They stay.
    Kept,
    /// The password is a new one, and every session has ended.
    Replaced,
    /// There was no password; a token sets one.
    Without(Secret<String>),
}

/// Verifies the address that a link was mailed to: of a new account, or the new one of an account.
///
/// A new account keeps its password and its sessions if its own session asks, or if the password is given. Another password
/// ends its sessions.
///
/// # Errors
/// `PASSWORD_REQUIRED` for a new account when neither is shown; `PASSWORD_MISMATCH` when the password was changed since it was
/// proved; `WEAK_PASSWORD` naming `new_password`; `LINK_EXPIRED`; `EMAIL_TAKEN` when the new address has got another account
/// meanwhile. The link stays good unless it is `LINK_EXPIRED`.
pub async fn verify(
    tx: &mut GlobalTx,
    mail: &EmailTokens,
    link: &OneTimeToken,
    ownership: Ownership,
) -> Result<LinkOutcome> {
    if link.purpose() == Some(TokenPurpose::Email) {
        return email_change::confirm(tx, link).await;
    }
    let user = follow(tx, link).await?;
    if user.email_verified_at.is_some() {
        return Err(ErrorCode::LinkExpired.refuse());
    }
    let had_password = credentials::has_password(tx, user.id).await?;
    let user = prove(tx, user).await?;
    let outcome = settle(tx, mail, &user, had_password, ownership).await?;
    let platform = tx.platform().await?;
    let facts = |verified, has_password| json!({ "email_verified": verified, "has_password": has_password });
    let has_password = !matches!(outcome, Outcome::Without(_));
    let details = Details::changed(facts(false, had_password), facts(true, has_password));
    platform.record(Action::UserEmailVerified, user.id, details).await?;
    if matches!(outcome, Outcome::Replaced) && had_password {
        let details = Details::created(json!({ "kind": "password" }));
        platform.record(Action::UserPasswordChanged, user.id, details).await?;
    }
    platform.enqueue(&Job::SendWelcome { user: user.id }).await?;
    let reset = match outcome {
        Outcome::Without(token) => Some(token),
        Outcome::Kept | Outcome::Replaced => None,
    };
    Ok(LinkOutcome { user, reset })
}

async fn settle(
    tx: &GlobalTx,
    mail: &EmailTokens,
    user: &User,
    had_password: bool,
    ownership: Ownership,
) -> Result<Outcome> {
    const REASON: &str = "mailbox proved elsewhere";
    match ownership {
        Ownership::Session(me) if me == user.id => {
            // Ended meanwhile, it proves nothing.
            sessions::still_signed_in(tx).await?;
            Ok(Outcome::Kept)
        }
        Ownership::Password(proof) if proof.user == user.id => {
            match credentials::is_current(tx, &proof).await? {
                true => Ok(Outcome::Kept),
                false => Err(credentials::mismatch("password")),
            }
        }
        Ownership::NewPassword { password, secret_hash } => {
            let about = [user.email.as_str(), user.username.as_deref().unwrap_or_default()];
            credentials::refuse_weak("new_password", &password, &about)?;
            credentials::set(tx, user.id, secret_hash).await?;
            shut_out(tx, user, REASON).await?;
            Ok(Outcome::Replaced)
        }
        _ if !had_password => Ok(Outcome::Without(take_over(tx, mail, user, REASON).await?)),
        _ => Err(ErrorCode::PasswordRequired.refuse()),
    }
}
