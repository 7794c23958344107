//! People with an account.

mod entity;
mod list;
mod profile;
mod deletion;

use sea_orm::{ActiveValue::Set, ColumnTrait, IntoActiveModel};
use serde_json::{Value, json};

pub use deletion::find;
pub(crate) use deletion::{
    anonymize, delete, due, find_due, is_any_living, lock, lock_deletable, lock_with_superusers,
    require_superuser, restore, set_active,
};
pub use entity::Model as User;
pub(crate) use entity::{Column, Entity};
pub use list::{UserFilter, UserKey};
pub(crate) use list::{matches_search, page};
pub use profile::{ProfileChanges, WeekStart};
pub(crate) use profile::{change, store};

use crate::{
    Result,
    base::{
        error::ErrorCode,
        ids::UserId,
        text::{self, EmailAddress, Name, Username},
    },
    storage::db::GlobalTx,
};

/// What a new account says of its person.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Logs in with it; unique.
    pub email: EmailAddress,
    /// Logs in with it too; unique.
    pub username: Option<Username>,
    /// Given name.
    pub first_name: Option<Name>,
    /// Family name.
    pub last_name: Option<Name>,
}

impl User {
    /// What other people call the person: by his names, else by his username, else by the local part of his address.
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

/// The facts of a user that an audit log may tell: no address, ids only.
pub(crate) fn facts(user: &User) -> Value {
    json!({ "is_active": user.is_active, "is_superuser": user.is_superuser })
}

/// What is known of the address of a new account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// It needs no proof.
    Proved,
    /// It is still to be proved.
    Unproved,
    /// The same, and until then nobody is to learn whether the account is new. So its username is not judged before: it is
    /// only wished for, and has no canonical form.
    Hidden,
}

/// Adds a person.
///
/// # Errors
/// `EMAIL_TAKEN`; `USERNAME_TAKEN`, unless the address is hidden.
pub(crate) async fn create(
    tx: &GlobalTx,
    new: NewUser,
    is_superuser: bool,
    address: Address,
) -> Result<User> {
    let now = tx.now();
    // Asked first, so that who repeats himself hears of the address: of two constraints a database names either.
    if with_email(tx, &new.email).await?.is_some() {
        return Err(ErrorCode::EmailTaken.refuse());
    }
    tx.insert(entity::ActiveModel {
        id: Set(UserId::new(now)),
        email_canonical: Set(new.email.key().to_owned()),
        email: Set(new.email.into()),
        username_canonical: Set(new
            .username
            .as_ref()
            .filter(|_| address != Address::Hidden)
            .map(Username::key)),
        username: Set(new.username.map(Into::into)),
        first_name: Set(new.first_name.map(Into::into)),
        last_name: Set(new.last_name.map(Into::into)),
        is_active: Set(true),
        is_superuser: Set(is_superuser),
        email_verified_at: Set((address == Address::Proved).then_some(now)),
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

/// The person with this id, locked against other writers.
pub(crate) async fn with_id(tx: &GlobalTx, id: UserId) -> Result<Option<User>> {
    tx.find::<Entity>().filter(Column::Id.eq(id)).one_locked().await
}

/// The person with this address, locked against other writers.
pub(crate) async fn with_email(tx: &GlobalTx, email: &EmailAddress) -> Result<Option<User>> {
    tx.find::<Entity>().filter(Column::EmailCanonical.eq(email.key())).one_locked().await
}

/// Settles the username of a person whose address is proved: one that was only wished for becomes theirs if it is free, and
/// is dropped otherwise.
pub(crate) async fn settle_username(tx: &GlobalTx, user: &mut User) -> Result<()> {
    let (Some(wished), None) = (&user.username, &user.username_canonical) else { return Ok(()) };
    let canonical = text::key(wished);
    match is_username_taken(tx, &canonical).await? {
        false => user.username_canonical = Some(canonical),
        true => user.username = None,
    }
    Ok(())
}

/// The person with this address, not locked: for whoever has locked another one, whose turn may come after this one's.
pub(crate) async fn owner_of(tx: &GlobalTx, email: &str) -> Result<Option<User>> {
    tx.find::<Entity>().filter(Column::EmailCanonical.eq(email)).one().await
}

/// Is there a person with this username?
pub(crate) async fn is_username_taken(tx: &GlobalTx, username: &str) -> Result<bool> {
    Ok(tx.find::<Entity>().filter(Column::UsernameCanonical.eq(username)).one().await?.is_some())
}

/// Gives a person an address that he has proved to be his.
///
/// # Errors
/// `EMAIL_TAKEN`; `USERNAME_TAKEN` when somebody else gets the username they wished for in this very moment: try again.
pub(crate) async fn set_verified_email(tx: &GlobalTx, mut user: User, email: EmailAddress) -> Result<User> {
    if owner_of(tx, email.key()).await?.is_some_and(|other| other.id != user.id) {
        return Err(ErrorCode::EmailTaken.refuse());
    }
    settle_username(tx, &mut user).await?;
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

/// Makes a person an operator of the platform, who may log in.
pub(crate) async fn promote(tx: &GlobalTx, user: User) -> Result<User> {
    let version = user.version + 1;
    let mut row = user.into_active_model();
    (row.is_superuser, row.is_active) = (Set(true), Set(true));
    (row.version, row.updated_at) = (Set(version), Set(tx.now()));
    tx.update(row).await
}

/// Notes that the person logged in now.
pub(crate) async fn logged_in(tx: &GlobalTx, user: UserId) -> Result<User> {
    let row = entity::ActiveModel { id: Set(user), last_login_at: Set(Some(tx.now())), ..Default::default() };
    tx.update(row).await
}
