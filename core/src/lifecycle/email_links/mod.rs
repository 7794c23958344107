//! Proofs of a mailbox, and what they change: an address is verified, a password set, an address changed and changed back.
//!
//! What is asked for answers nobody: whether there is an account is told to its mailbox alone.

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
        audit::{Action, Details},
        db::GlobalTx,
        outbox::Job,
    },
};

/// What following a link came to.
pub struct LinkOutcome {
    /// Whose mailbox it is.
    pub user: User,
    /// Sets a new password, where the old one ended: nobody is left without a way in.
    pub reset: Option<Secret<String>>,
}

/// Registers, and tells nobody but the mailbox whether the address had an account. The username is judged when the mailbox
/// is proved.
///
/// # Errors
/// `EMAIL_TAKEN` when somebody else registers it in this very moment: try again.
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
        // Whoever opened it: the link is for the mailbox.
        None => verification(tx, mail, &user).await?,
    };
    asked(tx, Action::UserRegisteredAgain, user.id, &[job]).await
}

/// Mails the link that verifies an address once more, if there is an account to be verified.
///
/// # Errors
/// Whatever the database refuses.
pub async fn resend(tx: &GlobalTx, mail: &EmailTokens, email: &EmailAddress) -> Result<()> {
    match users::lock_by_email(tx, email).await? {
        Some(user) if user.is_active && user.email_verified_at.is_none() => {
            let job = verification(tx, mail, &user).await?;
            asked(tx, Action::UserVerificationRequested, user.id, &[job]).await
        }
        _ => Ok(()),
    }
}

/// Mails the link that sets a new password, if there is an account that may log in: to its address as it is stored, since one
/// that is spelled otherwise may be somebody else's mailbox.
///
/// # Errors
/// Whatever the database refuses.
pub async fn request_password_reset(tx: &GlobalTx, mail: &EmailTokens, email: &EmailAddress) -> Result<()> {
    match users::lock_by_email(tx, email).await? {
        Some(user) if user.is_active => {
            let token =
                one_time_tokens::issue(tx, mail, TokenPurpose::Reset, user.id, &address(&user.email)?)
                    .await?;
            let job = Job::SendPasswordReset { token: token.id };
            asked(tx, Action::UserPasswordResetRequested, user.id, &[job]).await
        }
        _ => Ok(()),
    }
}

/// Sets a new password by a mailed link. Every session ends, and with them what was asked for by whoever had them.
///
/// # Errors
/// `LINK_EXPIRED`; `WEAK_PASSWORD`: the link stays good.
pub async fn reset(
    tx: &mut GlobalTx,
    link: &OneTimeToken,
    password: &Secret<String>,
    secret_hash: String,
) -> Result<LinkOutcome> {
    let user = follow(tx, link).await?;
    credentials::refuse_weak(
        "password",
        password,
        &[&user.email, user.username.as_deref().unwrap_or_default()],
    )?;
    let first_proof = user.email_verified_at.is_none();
    credentials::set(tx, user.id, secret_hash).await?;
    let user = match first_proof {
        true => prove(tx, user).await?,
        false => user,
    };
    shut_out(tx, &user, "password reset").await?;
    let platform = tx.platform().await?;
    let details =
        Details::changed(json!({ "email_verified": !first_proof }), json!({ "email_verified": true }));
    platform.record(Action::UserPasswordReset, user.id, details).await?;
    platform.enqueue(&Job::SendPasswordChanged { user: user.id }).await?;
    if first_proof {
        platform.enqueue(&Job::SendWelcome { user: user.id }).await?;
    }
    Ok(LinkOutcome { user, reset: None })
}

/// The person a link is about, locked; the link is used by this. Whoever follows it acts as him.
async fn follow(tx: &mut GlobalTx, link: &OneTimeToken) -> Result<User> {
    // The person first: whoever mails him something else waits for the same row.
    let id = link.user_id.ok_or(ErrorCode::LinkExpired.refuse())?;
    let user = users::lock(tx, id).await.map_err(|error| match error {
        // Deleted meanwhile.
        Error::NotFound(_) => ErrorCode::LinkExpired.refuse(),
        error => error,
    })?;
    // Who is shut out gets in by no link; what a thief changed before can still be undone.
    if !user.is_active && link.purpose() != Some(TokenPurpose::Undo) {
        return Err(ErrorCode::LinkExpired.refuse());
    }
    one_time_tokens::consume(tx, link).await?;
    if tx.origin().actor == Actor::Anonymous {
        tx.set_actor(Actor::User(user.id), Some(&user.email));
    }
    Ok(user)
}

/// Notes that the mailbox of a person's present address is his.
async fn prove(tx: &GlobalTx, user: User) -> Result<User> {
    let email = address(&user.email)?;
    one_time_tokens::revoke(tx, user.id, &[TokenPurpose::Verify]).await?;
    users::set_verified_email(tx, user, email).await
}

/// Ends what anybody but the owner of the mailbox may hold: the password, every session, every other link. Gives the
/// token that sets a new password.
async fn take_over(tx: &GlobalTx, mail: &EmailTokens, user: &User, reason: &str) -> Result<Secret<String>> {
    credentials::clear(tx, user.id).await?;
    shut_out(tx, user, reason).await?;
    let token =
        one_time_tokens::issue(tx, mail, TokenPurpose::Reset, user.id, &address(&user.email)?).await?;
    mail.token_for(&token).ok_or(Error::Broken("cannot decrypt a token that was just created"))
}

/// Ends every session and every link but those that undo.
async fn shut_out(tx: &GlobalTx, user: &User, reason: &str) -> Result<()> {
    one_time_tokens::revoke(tx, user.id, TokenPurpose::MAILED_TO_ACT).await?;
    sessions::revoke(tx, user.id, RevokeScope::All, reason).await
}

async fn verification(tx: &GlobalTx, mail: &EmailTokens, user: &User) -> Result<Job> {
    let email = address(&user.email)?;
    let token = one_time_tokens::issue(tx, mail, TokenPurpose::Verify, user.id, &email).await?;
    Ok(Job::SendVerification { token: token.id })
}

/// Notes that something was asked for, and sends the mails.
async fn asked(tx: &GlobalTx, action: Action, user: UserId, jobs: &[Job]) -> Result<()> {
    let platform = tx.platform().await?;
    platform.record(action, user, Details::created(json!({}))).await?;
    for job in jobs {
        platform.enqueue(job).await?;
    }
    Ok(())
}

/// An address that was sound when it was stored.
fn address(stored: &str) -> Result<EmailAddress> {
    EmailAddress::parse(stored).map_err(|_| Error::Broken("a stored e-mail address is invalid"))
}
