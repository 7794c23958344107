//! Change an e-mail address: the new address confirms the change, the old one can undo it.

use serde_json::json;

use super::{LinkOutcome, consume_link, record_and_enqueue, reset_access, stored_email};
use crate::{
    Result,
    base::{error::ErrorCode, ids::UserId, text::EmailAddress},
    identity::{
        one_time_tokens::{self, EmailTokens, OneTimeToken, TokenPurpose},
        sessions,
        users::{self, User},
    },
    lifecycle::accounts,
    storage::{
        audit::{Action, EventDetails},
        db::GlobalTx,
        outbox::Job,
    },
};

/// Changes a user's e-mail address: if e-mails can be sent, after the new address confirms it (returns `None`),
/// otherwise at once.
///
/// # Errors
/// `EMAIL_TAKEN` if the address has an account. If accounts are hidden, the owner of the address gets an e-mail
/// instead.
pub async fn change(
    tx: &GlobalTx,
    mail: &EmailTokens,
    user: UserId,
    email: EmailAddress,
) -> Result<Option<User>> {
    let user = users::lock(tx, user).await?;
    sessions::still_signed_in(tx).await?;
    let owner = users::find_by_email(tx, email.key()).await?.filter(|owner| owner.id != user.id);
    if !mail.hides_accounts {
        if owner.is_some() {
            return Err(ErrorCode::EmailTaken.refuse());
        }
        accounts::refuse_reserved(tx, &email, Some(user.id)).await?;
    }
    if !mail.is_configured {
        return apply_change(tx, user, email).await.map(Some);
    }
    // The e-mail to the old address must not depend on whether the new one has an account.
    let old = stored_email(&user.email)?;
    let undo = one_time_tokens::issue(tx, mail, TokenPurpose::Undo, user.id, &old).await?;
    let confirm = one_time_tokens::issue(tx, mail, TokenPurpose::Email, user.id, &email).await?;
    let new_address_job = match owner {
        Some(owner) => Job::SendAlreadyRegistered { user: owner.id },
        None => Job::SendEmailChange { token: confirm.id },
    };
    let old_address_job = Job::SendEmailChangeNotice { token: undo.id };
    record_and_enqueue(tx, Action::UserEmailChangeRequested, user.id, &[new_address_job, old_address_job])
        .await?;
    Ok(None)
}

/// Confirms the new e-mail address.
pub(super) async fn confirm(tx: &mut GlobalTx, link: &OneTimeToken) -> Result<LinkOutcome> {
    let user = consume_link(tx, link).await?;
    let user = apply_change(tx, user, stored_email(&link.email)?).await?;
    Ok(LinkOutcome { user, reset: None })
}

async fn apply_change(tx: &GlobalTx, user: User, email: EmailAddress) -> Result<User> {
    accounts::refuse_reserved(tx, &email, Some(user.id)).await?;
    let user = users::set_verified_email(tx, user, email).await?;
    // They were sent to the old e-mail address.
    one_time_tokens::revoke(tx, user.id, TokenPurpose::MAILED_TO_ACT).await?;
    let details = EventDetails::changed(json!({}), json!({ "version": user.version }));
    tx.platform().await?.record(Action::UserEmailChanged, user.id, details).await?;
    Ok(user)
}

/// Undoes the change for the old e-mail address, before or after the new one confirmed it. The password and all
/// sessions end, because the user who changed the address has them.
///
/// # Errors
/// `LINK_EXPIRED`; `EMAIL_TAKEN` if another account has the old e-mail address now. The link then stays valid.
pub async fn undo(tx: &mut GlobalTx, mail: &EmailTokens, link: &OneTimeToken) -> Result<LinkOutcome> {
    let user = consume_link(tx, link).await?;
    let user = users::set_verified_email(tx, user, stored_email(&link.email)?).await?;
    one_time_tokens::revoke_later_undos(tx, user.id, link).await?;
    let reset = reset_access(tx, mail, &user, "address change undone").await?;
    let details = EventDetails::changed(json!({ "has_password": true }), json!({ "has_password": false }));
    tx.platform().await?.record(Action::UserEmailChangeUndone, user.id, details).await?;
    Ok(LinkOutcome { user, reset: Some(reset) })
}
