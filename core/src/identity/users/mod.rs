//! Users and their profiles.

mod entity;
mod list;
mod profile;
mod deletion;

use sea_orm::{ActiveValue::Set, ColumnTrait, IntoActiveModel};
use serde_json::{Value, json};

pub use deletion::find;
pub(crate) use deletion::{
    anonymize, any_exists, delete, due, find_due, lock, lock_deletable, lock_with_superusers,
    require_superuser, restore, set_active,
};
pub use entity::Model as User;
pub(crate) use entity::{Column, Entity};
pub use list::{UserFilter, UserKey};
pub(crate) use list::{list, matches_search};
pub use profile::{ProfileChanges, WeekStart};
pub(crate) use profile::{store, update};

use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::UserId,
        text::{self, EmailAddress, Name, Username},
    },
    storage::db::GlobalTx,
};

/// The data of a new account.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// E-mail address for logins; unique.
    pub email: EmailAddress,
    /// Username for logins; unique.
    pub username: Option<Username>,
    /// Given name.
    pub first_name: Option<Name>,
    /// Family name.
    pub last_name: Option<Name>,
}

impl User {
    /// Returns the name for other users: first and last name, otherwise the username, otherwise the local part of the e-mail
    /// address.
    pub fn display_name(&self) -> String {
        let names: Vec<_> =
            [&self.first_name, &self.last_name].into_iter().flatten().map(String::as_str).collect();
        match (&names[..], &self.username) {
            ([], Some(username)) => username.clone(),
            ([], None) => self.email.split('@').next().unwrap_or_default().to_owned(),
            (names, _) => names.join(" "),
        }
    }
}

/// Returns the values of a user for the audit log, without personal data.
pub(crate) fn facts(user: &User) -> Value {
    json!({ "is_active": user.is_active, "is_superuser": user.is_superuser })
}

/// The state of the e-mail address of a new account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmailState {
    /// It needs no verification.
    Verified,
    /// It must be verified.
    Unverified,
    /// It must be verified, and until then responses hide whether the account is new. So the username is only requested: its
    /// uniqueness is not checked, and it has no canonical form.
    Hidden,
}

/// Creates a user.
///
/// # Errors
/// `EMAIL_TAKEN`; `USERNAME_TAKEN`, unless `email_state` is `Hidden`.
pub(crate) async fn create(
    tx: &GlobalTx,
    new: NewUser,
    is_superuser: bool,
    email_state: EmailState,
) -> Result<User> {
    let now = tx.now();
    // The check comes first, so that a repeated registration gets `EMAIL_TAKEN`: a database reports either of two violated
    // constraints.
    if lock_by_email(tx, &new.email).await?.is_some() {
        return Err(ErrorCode::EmailTaken.refuse());
    }
    tx.insert(entity::ActiveModel {
        id: Set(UserId::new(now)),
        email_canonical: Set(new.email.key().to_owned()),
        email: Set(new.email.into()),
        username_canonical: Set(new
            .username
            .as_ref()
            .filter(|_| email_state != EmailState::Hidden)
            .map(Username::key)),
        username: Set(new.username.map(Into::into)),
        first_name: Set(new.first_name.map(Into::into)),
        last_name: Set(new.last_name.map(Into::into)),
        // Computed from the names above.
        search_key: Set(None),
        is_active: Set(true),
        is_superuser: Set(is_superuser),
        email_verified_at: Set((email_state == EmailState::Verified).then_some(now)),
        locale: Set("en".to_owned()),
        timezone: Set("UTC".to_owned()),
        week_start: Set("monday".to_owned()),
        default_organization_id: Set(None),
        last_login_at: Set(None),
        purge_after: Set(None),
        version: Set(1),
        deleted_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    })
    .await
}

/// Returns the user with this id, locked against other writers.
pub(crate) async fn lock_by_id(tx: &GlobalTx, id: UserId) -> Result<Option<User>> {
    tx.find::<Entity>().filter(Column::Id.eq(id)).one_locked().await
}

/// Returns the user with this e-mail address, locked against other writers.
pub(crate) async fn lock_by_email(tx: &GlobalTx, email: &EmailAddress) -> Result<Option<User>> {
    tx.find::<Entity>().filter(Column::EmailCanonical.eq(email.key())).one_locked().await
}

/// Resolves the requested username of a user whose e-mail address is now verified: it becomes their username if it is
/// free, and is removed otherwise.
pub(crate) async fn resolve_username(tx: &GlobalTx, user: &mut User) -> Result<()> {
    let (Some(requested), None) = (&user.username, &user.username_canonical) else { return Ok(()) };
    let canonical = text::key(requested);
    match is_username_taken(tx, &canonical).await? {
        false => user.username_canonical = Some(canonical),
        true => user.username = None,
    }
    Ok(())
}

/// Returns the user with this canonical e-mail address without a lock. For transactions that hold a lock on another user,
/// which may come later in the order of locks.
pub(crate) async fn find_by_email(tx: &GlobalTx, email: &str) -> Result<Option<User>> {
    tx.find::<Entity>().filter(Column::EmailCanonical.eq(email)).one().await
}

/// Returns whether a user has this canonical username.
pub(crate) async fn is_username_taken(tx: &GlobalTx, username: &str) -> Result<bool> {
    Ok(tx.find::<Entity>().filter(Column::UsernameCanonical.eq(username)).one().await?.is_some())
}

/// Sets a verified e-mail address of a user.
///
/// # Errors
/// `EMAIL_TAKEN`; `USERNAME_TAKEN` when another account gets the requested username at the same moment, so that the client
/// must try again.
pub(crate) async fn set_verified_email(tx: &GlobalTx, mut user: User, email: EmailAddress) -> Result<User> {
    if find_by_email(tx, email.key()).await?.is_some_and(|other| other.id != user.id) {
        return Err(ErrorCode::EmailTaken.refuse());
    }
    resolve_username(tx, &mut user).await?;
    let (username, username_canonical) = (user.username.clone(), user.username_canonical.clone());
    let version = user.version + 1;
    let mut row = user.into_active_model();
    (row.version, row.updated_at) = (Set(version), Set(tx.now()));
    (row.username, row.username_canonical) = (Set(username), Set(username_canonical));
    row.email_verified_at = Set(Some(tx.now()));
    row.email_canonical = Set(email.key().to_owned());
    row.email = Set(email.into());
    tx.update(row).await
}

/// Makes a user an active superuser.
pub(crate) async fn promote(tx: &GlobalTx, user: User) -> Result<User> {
    let version = user.version + 1;
    let mut row = user.into_active_model();
    (row.is_superuser, row.is_active) = (Set(true), Set(true));
    (row.version, row.updated_at) = (Set(version), Set(tx.now()));
    tx.update(row).await
}

/// Stores that the user logged in now.
pub(crate) async fn record_login(tx: &GlobalTx, user: UserId) -> Result<User> {
    let row = entity::ActiveModel { id: Set(user), last_login_at: Set(Some(tx.now())), ..Default::default() };
    tx.update(row).await
}
