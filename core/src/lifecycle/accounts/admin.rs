//! What operators of the platform do to accounts.

use serde_json::json;

use super::{deletion::leave, found_personal, record, refuse_reserved};
use crate::{
    Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::UserId,
        pagination::{Page, PageRequest},
        text::EmailAddress,
    },
    identity::{
        credentials,
        one_time_tokens::{self, TokenPurpose},
        sessions::{self, RevokeScope},
        users::{self, EmailState, NewUser, ProfileChanges, User, UserFilter, UserKey},
    },
    storage::{
        audit::{Action, Details},
        db::{Db, Expected, GlobalTx},
    },
    tenancy::members,
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
pub async fn create(
    tx: &GlobalTx,
    new: NewAccount,
    secret_hash: String,
    with_organization: bool,
) -> Result<User> {
    refuse_reserved(tx, &new.user.email, None).await?;
    let mut user = users::create(tx, new.user, new.is_superuser, EmailState::Verified).await?;
    credentials::create(tx, user.id, secret_hash).await?;
    let mut facts = users::facts(&user);
    facts["password_imported"] = json!(new.is_imported);
    record(tx, Action::UserCreated, user.id, Details::created(facts)).await?;
    if with_organization && !new.is_superuser {
        user.default_organization_id = Some(found_personal(tx, &user).await?.id);
    }
    Ok(user)
}

/// One page of the accounts, each as it is shown: two queries, however many there are.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list(db: &Db, filter: UserFilter, listing: PageRequest<UserKey>) -> Result<Page<User>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "operators look for accounts; they belong to no organization"
    )]
    let tx = db.unscoped().await?;
    let mut page = users::list(&tx, filter, listing).await?;
    let defaults = members::default_organizations(&tx, &page.data).await?;
    for user in &mut page.data {
        user.default_organization_id = defaults.get(&user.id).copied();
    }
    Ok(page)
}

/// What an operator changes of an account; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountChanges {
    /// What its person could say himself.
    pub profile: ProfileChanges,
    /// The address he logs in with. The operator's word proves it.
    pub email: Option<EmailAddress>,
    /// Is he to be an operator of the platform?
    pub is_superuser: Option<bool>,
}

/// Changes an account. With another address every log-in and every mailed link ends, and so does the password if the address
/// before was never verified: whoever opened the account need not be its person. A change that changes nothing leaves no
/// trace.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED` when `expected` is not its version; `EMAIL_TAKEN`, `USERNAME_TAKEN`; `LAST_SUPERUSER`;
/// `VALIDATION_FAILED` when he is to be an operator whose address is not verified.
pub async fn change(
    tx: &GlobalTx,
    user: UserId,
    changes: AccountChanges,
    expected: &Expected,
) -> Result<User> {
    let (before, is_last_operator) = match changes.is_superuser {
        Some(false) => users::lock_with_superusers(tx, user).await?,
        _ => (users::lock(tx, user).await?, false),
    };
    expected.check(&before.version)?;
    let mut after = before.clone();
    changes.profile.apply(&mut after);
    if let Some(email) = changes.email {
        readdress(tx, &mut after, email).await?;
    }
    after.is_superuser = changes.is_superuser.unwrap_or(before.is_superuser);
    if is_last_operator && !after.is_superuser {
        return Err(ErrorCode::LastSuperuser.refuse());
    }
    let is_promoted = after.is_superuser && !before.is_superuser;
    if is_promoted && after.email_verified_at.is_none() {
        let mut fields = FieldErrors::default();
        fields.add("is_superuser", "EMAIL_UNVERIFIED", "The e-mail address of a superuser must be verified.");
        fields.into_result()?;
    }
    let Some((after, details)) = users::store(tx, &before, after).await? else { return Ok(before) };
    let action = match () {
        () if is_promoted => Action::UserPromoted,
        () if before.is_superuser && !after.is_superuser => Action::UserDemoted,
        () if before.email_canonical != after.email_canonical => Action::UserEmailChanged,
        () => Action::UserUpdated,
    };
    record(tx, action, user, details).await?;
    Ok(after)
}

/// Gives a person who is locked another address. What whoever reads the old mailbox could still do ends.
async fn readdress(tx: &GlobalTx, user: &mut User, email: EmailAddress) -> Result<()> {
    let is_another = email.key() != user.email_canonical;
    if is_another {
        refuse_reserved(tx, &email, Some(user.id)).await?;
        if users::find_by_email(tx, email.key()).await?.is_some() {
            return Err(ErrorCode::EmailTaken.refuse());
        }
        one_time_tokens::revoke(tx, user.id, TokenPurpose::ALL).await?;
        sessions::revoke(tx, user.id, RevokeScope::All, "address-changed-by-operator").await?;
        if user.email_verified_at.is_none() {
            credentials::clear(tx, user.id).await?;
        }
        user.email_verified_at = Some(tx.now());
        users::resolve_username(tx, user).await?;
        email.key().clone_into(&mut user.email_canonical);
    }
    user.email = email.into();
    Ok(())
}

/// Lets a person log in again. Who may already may still: that leaves no trace.
///
/// # Errors
/// `NotFound`, also when his account is deleted.
pub async fn activate(tx: &GlobalTx, user: UserId) -> Result<User> {
    let before = users::lock(tx, user).await?;
    if before.is_active {
        return Ok(before);
    }
    // One that began while he was being shut out.
    sessions::revoke(tx, user, RevokeScope::All, "account-activated").await?;
    let after = users::set_active(tx, before.clone(), true).await?;
    let details = Details::changed(users::facts(&before), users::facts(&after));
    record(tx, Action::UserActivated, user, details).await?;
    Ok(after)
}

/// Shuts a person out: every log-in ends, and he gets no other. Who is shut out stays so, without a trace.
///
/// # Errors
/// `NotFound`; `LAST_SUPERUSER`; `LAST_OWNER` naming the organizations that would have no active owner.
pub async fn deactivate(tx: &GlobalTx, user: UserId) -> Result<User> {
    let before = leave(tx, user).await?;
    if !before.is_active {
        return Ok(before);
    }
    sessions::revoke(tx, user, RevokeScope::All, "account-deactivated").await?;
    one_time_tokens::revoke(tx, user, TokenPurpose::MAILED_TO_ACT).await?;
    let after = users::set_active(tx, before.clone(), false).await?;
    let details = Details::changed(users::facts(&before), users::facts(&after));
    record(tx, Action::UserDeactivated, user, details).await?;
    Ok(after)
}
