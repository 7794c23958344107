//! E-mailed links: verify an e-mail address, set a password, change the e-mail address and undo the change.
//!
//! Requests for a link do not reveal whether there is an account. Only an e-mail to its address does.

mod email_change;
mod verification;

use serde_json::json;

pub use email_change::{change, undo};
pub use verification::{Ownership, verify};

use crate::{
    Error, Result,
    base::{crypto::Secret, error::ErrorCode, ids::UserId, permissions::Actor, text::EmailAddress},
    identity::{
        credentials,
        one_time_tokens::{self, EmailTokens, OneTimeToken, TokenPurpose},
        sessions::{self, RevokeScope},
        users::{self, NewUser, User},
    },
    lifecycle::accounts,
    storage::{
        audit::{Action, EventDetails},
        db::GlobalTx,
        outbox::Job,
    },
};

/// The result of following a link.
pub struct LinkOutcome {
    /// The user of the link.
    pub user: User,
    /// Sets a new password, if the old one was removed; so the user can always log in.
    pub reset: Option<Secret<String>>,
}

/// Registers a user. Only an e-mail says whether the address already has an account. The username is checked at
/// verification.
///
/// # Errors
/// `EMAIL_TAKEN` if another request registers it at the same time: try again.
pub async fn register(
    tx: &mut GlobalTx,
    mail: &EmailTokens,
    new: NewUser,
    secret_hash: String,
    with_organization: bool,
) -> Result<()> {
    let Some(user) = users::lock_by_email(tx, &new.email).await? else {
        return accounts::register(tx, new, secret_hash, with_organization, Some(mail)).await.map(drop);
    };
    let job = match user.email_verified_at {
        Some(_) => Job::SendAlreadyRegistered { user: user.id },
        // The account can belong to another person: the link is for the owner of the e-mail address.
        None => verification(tx, mail, &user).await?,
    };
    record_and_enqueue(tx, Action::UserRegisteredAgain, user.id, &[job]).await
}

/// Sends the link that verifies an e-mail address again, if an account needs it.
///
/// # Errors
/// Errors of the database.
pub async fn resend(tx: &GlobalTx, mail: &EmailTokens, email: &EmailAddress) -> Result<()> {
    match users::lock_by_email(tx, email).await? {
        Some(user) if user.is_active && user.email_verified_at.is_none() => {
            let job = verification(tx, mail, &user).await?;
            record_and_enqueue(tx, Action::UserVerificationRequested, user.id, &[job]).await
        }
        _ => Ok(()),
    }
}

/// Sends the link that sets a new password, if an active account has the e-mail address. It is sent to the stored
/// spelling, because another spelling can be the e-mail address of another person.
///
/// # Errors
/// Errors of the database.
pub async fn request_password_reset(tx: &GlobalTx, mail: &EmailTokens, email: &EmailAddress) -> Result<()> {
    match users::lock_by_email(tx, email).await? {
        Some(user) if user.is_active => {
            let token =
                one_time_tokens::issue(tx, mail, TokenPurpose::Reset, user.id, &stored_email(&user.email)?)
                    .await?;
            let job = Job::SendPasswordReset { token: token.id };
            record_and_enqueue(tx, Action::UserPasswordResetRequested, user.id, &[job]).await
        }
        _ => Ok(()),
    }
}

/// Sets a new password with an e-mailed link. All sessions and pending links end.
///
/// # Errors
/// `LINK_EXPIRED`; `WEAK_PASSWORD`, after which the link stays valid.
pub async fn reset(
    tx: &mut GlobalTx,
    link: &OneTimeToken,
    password: &Secret<String>,
    secret_hash: String,
) -> Result<LinkOutcome> {
    let user = consume_link(tx, link).await?;
    credentials::refuse_weak(
        "password",
        password,
        &[&user.email, user.username.as_deref().unwrap_or_default()],
    )?;
    let is_first_verification = user.email_verified_at.is_none();
    credentials::set(tx, user.id, secret_hash).await?;
    let user = match is_first_verification {
        true => verify_current_email(tx, user).await?,
        false => user,
    };
    revoke_access(tx, &user, "password reset").await?;
    let platform = tx.platform().await?;
    let details = EventDetails::changed(
        json!({ "email_verified": !is_first_verification }),
        json!({ "email_verified": true }),
    );
    platform.record(Action::UserPasswordReset, user.id, details).await?;
    platform.enqueue(&Job::SendPasswordChanged { user: user.id }).await?;
    if is_first_verification {
        platform.enqueue(&Job::SendWelcome { user: user.id }).await?;
    }
    Ok(LinkOutcome { user, reset: None })
}

/// Uses a link, locks its user and makes them the actor of the transaction.
async fn consume_link(tx: &mut GlobalTx, link: &OneTimeToken) -> Result<User> {
    // The user first: new links for the user wait for the same row.
    let id = link.user_id.ok_or(ErrorCode::LinkExpired.refuse())?;
    let user = users::lock(tx, id).await.map_err(|error| match error {
        // The account was deleted meanwhile.
        Error::NotFound(_) => ErrorCode::LinkExpired.refuse(),
        error => error,
    })?;
    // No link lets a deactivated user in. A change by an attacker can still be undone.
    if !user.is_active && link.purpose() != Some(TokenPurpose::Undo) {
        return Err(ErrorCode::LinkExpired.refuse());
    }
    one_time_tokens::consume(tx, link).await?;
    if tx.origin().actor == Actor::Anonymous {
        tx.set_actor(Actor::User(user.id), Some(&user.email));
    }
    Ok(user)
}

/// Marks the current e-mail address of a user as verified.
async fn verify_current_email(tx: &GlobalTx, user: User) -> Result<User> {
    let email = stored_email(&user.email)?;
    one_time_tokens::revoke(tx, user.id, &[TokenPurpose::Verify]).await?;
    users::set_verified_email(tx, user, email).await
}

/// Ends the access of everyone except the owner of the e-mail address: the password, all sessions, all other links.
/// Returns the token that sets a new password.
async fn reset_access(
    tx: &GlobalTx,
    mail: &EmailTokens,
    user: &User,
    reason: &str,
) -> Result<Secret<String>> {
    credentials::clear(tx, user.id).await?;
    revoke_access(tx, user, reason).await?;
    let token =
        one_time_tokens::issue(tx, mail, TokenPurpose::Reset, user.id, &stored_email(&user.email)?).await?;
    mail.token_for(&token).ok_or(Error::Internal("cannot decrypt a token that was just created"))
}

/// Ends all sessions, and all links except those that undo.
async fn revoke_access(tx: &GlobalTx, user: &User, reason: &str) -> Result<()> {
    one_time_tokens::revoke(tx, user.id, TokenPurpose::MAILED_TO_ACT).await?;
    sessions::revoke(tx, user.id, RevokeScope::All, reason).await
}

async fn verification(tx: &GlobalTx, mail: &EmailTokens, user: &User) -> Result<Job> {
    let email = stored_email(&user.email)?;
    let token = one_time_tokens::issue(tx, mail, TokenPurpose::Verify, user.id, &email).await?;
    Ok(Job::SendVerification { token: token.id })
}

/// Records a request in the audit log and enqueues its e-mails.
async fn record_and_enqueue(tx: &GlobalTx, action: Action, user: UserId, jobs: &[Job]) -> Result<()> {
    let platform = tx.platform().await?;
    platform.record(action, user, EventDetails::created(json!({}))).await?;
    for job in jobs {
        platform.enqueue(job).await?;
    }
    Ok(())
}

/// Parses an e-mail address that was valid when it was stored.
fn stored_email(stored: &str) -> Result<EmailAddress> {
    EmailAddress::parse(stored).map_err(|_| Error::Internal("a stored e-mail address is invalid"))
}
