//! Delete, restore and anonymize accounts.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, FromQueryResult,
    sea_query::{Asterisk, Query},
};

use super::{
    User,
    entity::{ActiveModel, Column, Entity},
};
use crate::{
    Error, Result,
    base::{error::ErrorCode, ids::UserId},
    storage::db::{Db, GlobalTable, GlobalTx},
};

/// Returns the e-mail address that replaces that of an anonymized user, in a domain that never exists (RFC 2606 §2).
fn placeholder_email(user: UserId) -> String {
    format!("{user}@deleted.invalid")
}

/// Returns a user, including a deleted one until it is anonymized.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &Db, user: UserId) -> Result<User> {
    let visible = Condition::any().add(Column::DeletedAt.is_null()).add(Column::PurgeAfter.is_not_null());
    let mut query = Query::select();
    query.column(Asterisk).from(Entity).and_where(Column::Id.eq(user)).cond_where(visible);
    #[expect(
        clippy::disallowed_methods,
        reason = "a superuser reads accounts; users belong to no organization"
    )]
    db.unscoped().await?.row(&query, Entity::NAME).await
}

/// Returns the user, locked against other writers until the transaction ends.
///
/// # Errors
/// `NotFound` when the user does not exist or is deleted. For the user who makes the request it is `INVALID_TOKEN`: a
/// concurrent request has deleted the account and its sessions.
pub(crate) async fn lock(tx: &GlobalTx, user: UserId) -> Result<User> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(user)).one_locked().await?;
    match tx.origin().actor.user() == Some(user) {
        true => found.ok_or_else(|| ErrorCode::InvalidToken.refuse()),
        false => found.ok_or(Error::NotFound(Entity::NAME)),
    }
}

/// Returns whether at least one of these users is not deleted.
pub(crate) async fn any_exists(tx: &GlobalTx, users: &[UserId]) -> Result<bool> {
    let condition = Column::Id.is_in(users.iter().copied());
    Ok(!users.is_empty() && tx.find::<Entity>().filter(condition).one().await?.is_some())
}

/// Fails unless the user is an active superuser. For invitations that a superuser sent.
///
/// # Errors
/// `INVITATION_UNSUPPORTED`.
pub(crate) async fn require_superuser(tx: &GlobalTx, user: UserId) -> Result<()> {
    let superuser = Condition::all()
        .add(Column::Id.eq(user))
        .add(Column::IsSuperuser.eq(true))
        .add(Column::IsActive.eq(true));
    match tx.find::<Entity>().filter(superuser).one().await? {
        Some(_) => Ok(()),
        None => Err(ErrorCode::InvitationUnsupported.refuse()),
    }
}

/// Returns the user, unless they are the only active superuser. Locks the same rows as [`lock_with_superusers`].
///
/// # Errors
/// `NotFound`; `LAST_SUPERUSER` when the user is the only active superuser.
pub(crate) async fn lock_deletable(tx: &GlobalTx, user: UserId) -> Result<User> {
    match lock_with_superusers(tx, user).await? {
        (_, true) => Err(ErrorCode::LastSuperuser.refuse()),
        (user, false) => Ok(user),
    }
}

/// Returns the user, and whether they are the only active superuser. Locks the user and all superusers in one order, so
/// that two superusers cannot leave at the same time.
///
/// # Errors
/// `NotFound`.
pub(crate) async fn lock_with_superusers(tx: &GlobalTx, user: UserId) -> Result<(User, bool)> {
    let superusers = Condition::all().add(Column::IsSuperuser.eq(true)).add(Column::IsActive.eq(true));
    let condition = Condition::any().add(Column::Id.eq(user)).add(superusers);
    let locked = tx.find::<Entity>().filter(condition).all_locked(Column::Id).await?;
    let is_active_superuser = |user: &User| user.is_superuser && user.is_active;
    let (own, others): (Vec<_>, Vec<_>) = locked.into_iter().partition(|locked| locked.id == user);
    let user = own.into_iter().next().ok_or(Error::NotFound(Entity::NAME))?;
    let is_last = is_active_superuser(&user) && !others.iter().any(is_active_superuser);
    Ok((user, is_last))
}

/// Activates or deactivates a user.
pub(crate) async fn set_active(tx: &GlobalTx, user: User, is_active: bool) -> Result<User> {
    let row = ActiveModel {
        id: Set(user.id),
        is_active: Set(is_active),
        version: Set(user.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(row).await
}

/// Deletes an account. It can be restored until `purge_after`.
pub(crate) async fn delete(tx: &GlobalTx, user: &User, purge_after: DateTime<Utc>) -> Result<()> {
    let row = ActiveModel {
        id: Set(user.id),
        deleted_at: Set(Some(tx.now())),
        purge_after: Set(Some(purge_after)),
        version: Set(user.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(row).await.map(drop)
}

/// Restores a deleted account.
///
/// # Errors
/// `NotFound` when it is not deleted, or its grace period is over; `EMAIL_TAKEN`, `USERNAME_TAKEN` when another account has
/// them in the meantime.
pub(crate) async fn restore(tx: &GlobalTx, user: UserId) -> Result<User> {
    let restorable = Condition::all().add(Column::Id.eq(user)).add(Column::PurgeAfter.gt(tx.now()));
    let deleted = tx.find_deleted::<Entity>().filter(restorable).one_locked().await?;
    let deleted = deleted.ok_or(Error::NotFound(Entity::NAME))?;
    // The check comes first, because a database reports either of two violated constraints.
    if super::find_by_email(tx, &deleted.email_canonical).await?.is_some() {
        return Err(ErrorCode::EmailTaken.refuse());
    }
    if let Some(username) = &deleted.username_canonical
        && super::is_username_taken(tx, username).await?
    {
        return Err(ErrorCode::UsernameTaken.refuse());
    }
    let row = ActiveModel {
        id: Set(user),
        deleted_at: Set(None),
        purge_after: Set(None),
        version: Set(deleted.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(row).await
}

#[derive(FromQueryResult)]
struct DueUser {
    id: UserId,
}

/// Returns the deleted users whose grace period is over now.
pub(crate) async fn due(db: &Db) -> Result<Vec<UserId>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "finds the accounts to purge; they belong to no organization"
    )]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query.column(Column::Id).from(Entity).and_where(Column::PurgeAfter.lte(tx.now()));
    Ok(tx.rows::<DueUser>(&query).await?.into_iter().map(|due| due.id).collect())
}

/// Returns a deleted user whose grace period is over, without a lock.
///
/// # Errors
/// `NotFound` when the user was restored or anonymized in the meantime.
pub(crate) async fn find_due(tx: &GlobalTx, user: UserId) -> Result<User> {
    let due = Condition::all().add(Column::Id.eq(user)).add(Column::PurgeAfter.lte(tx.now()));
    tx.find_deleted::<Entity>().filter(due).one().await?.ok_or(Error::NotFound(Entity::NAME))
}

/// Anonymizes a deleted user whose grace period is over. The row stays, because other rows refer to it, but its personal data
/// is removed. Returns the previous contents.
///
/// # Errors
/// `NotFound` when the user was restored or anonymized in the meantime.
pub(crate) async fn anonymize(tx: &GlobalTx, user: UserId) -> Result<User> {
    let due = Condition::all().add(Column::Id.eq(user)).add(Column::PurgeAfter.lte(tx.now()));
    let deleted = tx.find_deleted::<Entity>().filter(due).one_locked().await?;
    let deleted = deleted.ok_or(Error::NotFound(Entity::NAME))?;
    let row = ActiveModel {
        id: Set(user),
        email: Set(placeholder_email(user)),
        email_canonical: Set(placeholder_email(user)),
        username: Set(None),
        username_canonical: Set(None),
        first_name: Set(None),
        last_name: Set(None),
        is_active: Set(false),
        is_superuser: Set(false),
        email_verified_at: Set(None),
        locale: Set("en".to_owned()),
        timezone: Set("UTC".to_owned()),
        week_start: Set("monday".to_owned()),
        default_organization_id: Set(None),
        last_login_at: Set(None),
        purge_after: Set(None),
        version: Set(deleted.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    tx.update(row).await?;
    Ok(deleted)
}
