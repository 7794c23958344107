//! Changing an address: the new mailbox confirms, the old one can undo.

use serde_json::json;

use super::{LinkOutcome, address, asked, follow, take_over};
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
        audit::{Action, Details},
        db::GlobalTx,
        outbox::Job,
    },
};

/// Changes a person's address: where mail can be sent, once the new mailbox has confirmed it (`None`), otherwise at once.
///
/// # Errors
/// `EMAIL_TAKEN` when it has an account, unless that is hidden: then the owner of the address is told by mail.
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
        return changed(tx, user, email).await.map(Some);
    }
    // What the old mailbox gets must not depend on whose the new address is.
    let old = address(&user.email)?;
    let undo = one_time_tokens::issue(tx, mail, TokenPurpose::Undo, user.id, &old).await?;
    let confirm = one_time_tokens::issue(tx, mail, TokenPurpose::Email, user.id, &email).await?;
    let to_the_new = match owner {
        Some(owner) => Job::SendAlreadyRegistered { user: owner.id },
        None => Job::SendEmailChange { token: confirm.id },
    };
    let to_the_old = Job::SendEmailChangeNotice { token: undo.id };
    asked(tx, Action::UserEmailChangeRequested, user.id, &[to_the_new, to_the_old]).await?;
    Ok(None)
}

/// The new mailbox says yes.
pub(super) async fn confirm(tx: &mut GlobalTx, link: &OneTimeToken) -> Result<LinkOutcome> {
    let user = follow(tx, link).await?;
    let user = changed(tx, user, address(&link.email)?).await?;
    Ok(LinkOutcome { user, reset: None })
}

async fn changed(tx: &GlobalTx, user: User, email: EmailAddress) -> Result<User> {
    accounts::refuse_reserved(tx, &email, Some(user.id)).await?;
    let user = users::set_verified_email(tx, user, email).await?;
    // Those were mailed to the address that is no longer his.
    one_time_tokens::revoke(tx, user.id, TokenPurpose::MAILED_TO_ACT).await?;
    let details = Details::changed(json!({}), json!({ "version": user.version }));
    tx.platform().await?.record(Action::UserEmailChanged, user.id, details).await?;
    Ok(user)
}

/// The old mailbox says no, before or after the new one has confirmed: the address comes back. Whoever changed it knows
/// the password and is signed in, so both end.
///
/// # Errors
/// `LINK_EXPIRED`; `EMAIL_TAKEN` when the old address has got another account meanwhile: the link stays good.
pub async fn undo(tx: &mut GlobalTx, mail: &EmailTokens, link: &OneTimeToken) -> Result<LinkOutcome> {
    let user = follow(tx, link).await?;
    let user = users::set_verified_email(tx, user, address(&link.email)?).await?;
    one_time_tokens::revoke_later_undos(tx, user.id, link).await?;
    let reset = take_over(tx, mail, &user, "address change undone").await?;
    let details = Details::changed(json!({ "has_password": true }), json!({ "has_password": false }));
    tx.platform().await?.record(Action::UserEmailChangeUndone, user.id, details).await?;
    Ok(LinkOutcome { user, reset: Some(reset) })
}
