//! What operators of the platform do to accounts.

use serde_json::json;

use super::{found_personal, record, removal::leave};
use crate::{
    Result,
    audit::{Action, Details},
    credentials,
    db::Tx,
    ids::UserId,
    one_time_tokens::{self, Purpose},
    sessions::{self, Ending},
    users::{self, NewUser, User},
};

/// An account that an operator makes for somebody.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Whose.
    pub user: NewUser,
    /// Is he to be an operator of the platform?
    pub is_superuser: bool,
    /// Was the hash of his password made elsewhere?
    pub is_imported: bool,
}

/// Makes an account for somebody. `with_organization`: and, unless he is an operator, an organization of his own.
///
/// # Errors
/// `EMAIL_TAKEN`, `USERNAME_TAKEN`.
pub async fn create(tx: &Tx, new: NewAccount, secret_hash: String, with_organization: bool) -> Result<User> {
    super::refuse_reserved(tx, &new.user.email, None).await?;
    let mut user = users::create(tx, new.user, new.is_superuser, true).await?;
    credentials::create(tx, user.id, secret_hash).await?;
    let mut facts = users::facts(&user);
    facts["password_imported"] = json!(new.is_imported);
    record(tx, Action::UserCreated, user.id, Details::created(facts)).await?;
    if with_organization && !new.is_superuser {
        user.default_organization_id = Some(found_personal(tx, &user).await?.id);
    }
    Ok(user)
}

/// Lets a person log in again. Who may already may still: that leaves no trace.
///
/// # Errors
/// `NotFound`, also when his account is deleted.
pub async fn activate(tx: &Tx, user: UserId) -> Result<User> {
    let before = users::lock(tx, user).await?;
    if before.is_active {
        return Ok(before);
    }
    // One that began while he was being shut out.
    sessions::revoke(tx, user, Ending::All, "account-activated").await?;
    let after = users::set_active(tx, before.clone(), true).await?;
    let details = Details::changed(users::facts(&before), users::facts(&after));
    record(tx, Action::UserActivated, user, details).await?;
    Ok(after)
}

/// Shuts a person out: every log-in ends, and he gets no other. Who is shut out stays so, without a trace.
///
/// # Errors
/// `NotFound`; `LAST_SUPERUSER`; `LAST_OWNER` naming the organizations that would have no active owner.
pub async fn deactivate(tx: &Tx, user: UserId) -> Result<User> {
    let before = leave(tx, user).await?;
    if !before.is_active {
        return Ok(before);
    }
    sessions::revoke(tx, user, Ending::All, "account-deactivated").await?;
    one_time_tokens::kill(tx, user, Purpose::MAILED_TO_ACT).await?;
    let after = users::set_active(tx, before.clone(), false).await?;
    let details = Details::changed(users::facts(&before), users::facts(&after));
    record(tx, Action::UserDeactivated, user, details).await?;
    Ok(after)
}
