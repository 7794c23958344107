//! Operations of superusers on accounts.

use serde_json::json;

use super::{create_personal_organization, deletion::prepare_removal, record, refuse_reserved};
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
        audit::{Action, EventDetails},
        db::{Db, ExpectedVersion, GlobalTx},
    },
    tenancy::members,
};

/// A new account that a superuser creates for a user.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The data of the account.
    pub user: NewUser,
    /// Whether the user becomes a superuser.
    pub is_superuser: bool,
    /// Whether the password hash was imported from another system.
    pub is_imported: bool,
}

/// Creates an account for a user. `with_organization` also creates a personal organization, unless the user is a
/// superuser.
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
    record(tx, Action::UserCreated, user.id, EventDetails::created(facts)).await?;
    if with_organization && !new.is_superuser {
        user.default_organization_id = Some(create_personal_organization(tx, &user).await?.id);
    }
    Ok(user)
}

/// Lists one page of the accounts with their default organizations, with two queries.
///
/// # Errors
/// Errors of the database.
pub async fn list(db: &Db, filter: UserFilter, listing: PageRequest<UserKey>) -> Result<Page<User>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "superusers list accounts, which belong to no organization"
    )]
    let tx = db.unscoped().await?;
    let mut page = users::list(&tx, filter, listing).await?;
    let defaults = members::default_organizations(&tx, &page.data).await?;
    for user in &mut page.data {
        user.default_organization_id = defaults.get(&user.id).copied();
    }
    Ok(page)
}

/// The changes of an account by a superuser; `None` keeps a field.
#[derive(Clone, Debug, Default)]
pub struct AccountChanges {
    /// The fields that users can also change themselves.
    pub profile: ProfileChanges,
    /// The new e-mail address. It counts as verified.
    pub email: Option<EmailAddress>,
    /// Whether the user becomes a superuser.
    pub is_superuser: Option<bool>,
}

/// Updates an account. A new e-mail address ends all sessions and e-mailed links. If the old address was never
/// verified, it also removes the password, because another person may have created the account. A change without effect
/// creates neither a new version nor an audit event.
///
/// # Errors
/// `NotFound`; `PRECONDITION_FAILED` when `expected` is not its version; `EMAIL_TAKEN`, `USERNAME_TAKEN`;
/// `LAST_SUPERUSER`; `VALIDATION_FAILED` when a user without a verified e-mail address would become a superuser.
pub async fn change(
    tx: &GlobalTx,
    user: UserId,
    changes: AccountChanges,
    expected: &ExpectedVersion,
) -> Result<User> {
    let (before, is_last_superuser) = match changes.is_superuser {
        Some(false) => users::lock_with_superusers(tx, user).await?,
        _ => (users::lock(tx, user).await?, false),
    };
    expected.check(&before.version)?;
    let mut after = before.clone();
    changes.profile.apply(&mut after);
    if let Some(email) = changes.email {
        replace_email(tx, &mut after, email).await?;
    }
    after.is_superuser = changes.is_superuser.unwrap_or(before.is_superuser);
    if is_last_superuser && !after.is_superuser {
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

/// Changes the e-mail address of a locked user, and ends everything that the old e-mail address still allows.
async fn replace_email(tx: &GlobalTx, user: &mut User, email: EmailAddress) -> Result<()> {
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

/// Activates an account, so that the user can log in again. An active account stays as it is, without an audit event.
///
/// # Errors
/// `NotFound`, also if the account is deleted.
pub async fn activate(tx: &GlobalTx, user: UserId) -> Result<User> {
    let before = users::lock(tx, user).await?;
    if before.is_active {
        return Ok(before);
    }
    // A session can have started while the account was being deactivated.
    sessions::revoke(tx, user, RevokeScope::All, "account-activated").await?;
    let after = users::set_active(tx, before.clone(), true).await?;
    let details = EventDetails::changed(users::facts(&before), users::facts(&after));
    record(tx, Action::UserActivated, user, details).await?;
    Ok(after)
}

/// Deactivates an account: all sessions end, and the user cannot log in. A deactivated account stays as it is, without
/// an audit event.
///
/// # Errors
/// `NotFound`; `LAST_SUPERUSER`; `LAST_OWNER` naming the organizations that would have no active owner.
pub async fn deactivate(tx: &GlobalTx, user: UserId) -> Result<User> {
    let before = prepare_removal(tx, user).await?;
    if !before.is_active {
        return Ok(before);
    }
    sessions::revoke(tx, user, RevokeScope::All, "account-deactivated").await?;
    one_time_tokens::revoke(tx, user, TokenPurpose::MAILED_TO_ACT).await?;
    let after = users::set_active(tx, before.clone(), false).await?;
    let details = EventDetails::changed(users::facts(&before), users::facts(&after));
    record(tx, Action::UserDeactivated, user, details).await?;
    Ok(after)
}
