//! How an account ends, comes back, and is forgotten.

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

/// What stands where an address stood: a domain that never is one (RFC 2606 §2).
fn nobody(user: UserId) -> String {
    format!("{user}@deleted.invalid")
}

/// A person, also one whose account was deleted, until he is forgotten.
///
/// # Errors
/// `NotFound`.
pub async fn find(db: &Db, user: UserId) -> Result<User> {
    let known = Condition::any().add(Column::DeletedAt.is_null()).add(Column::PurgeAfter.is_not_null());
    let mut query = Query::select();
    query.column(Asterisk).from(Entity).and_where(Column::Id.eq(user)).cond_where(known);
    #[expect(clippy::disallowed_methods, reason = "an operator looks; users belong to no organization")]
    db.unscoped().await?.row(&query, Entity::NAME).await
}

/// The person, locked against other writers until the transaction ends.
///
/// # Errors
/// `NotFound` when there is none, or no more; `INVALID_TOKEN` when it is the one who acts: another request has just deleted
/// them, and with them the session of this one.
pub(crate) async fn lock(tx: &GlobalTx, user: UserId) -> Result<User> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(user)).one_locked().await?;
    match tx.origin().actor.user() == Some(user) {
        true => found.ok_or_else(|| ErrorCode::InvalidToken.refuse()),
        false => found.ok_or(Error::NotFound(Entity::NAME)),
    }
}

/// Is one of these people neither deleted nor forgotten?
pub(crate) async fn is_any_living(tx: &GlobalTx, users: &[UserId]) -> Result<bool> {
    let condition = Column::Id.is_in(users.iter().copied());
    Ok(!users.is_empty() && tx.find::<Entity>().filter(condition).one().await?.is_some())
}

/// Refuses what only an operator of the platform stands behind, unless he is still one.
///
/// # Errors
/// `INVITATION_UNSUPPORTED`.
pub(crate) async fn require_superuser(tx: &GlobalTx, user: UserId) -> Result<()> {
    let operator = Condition::all()
        .add(Column::Id.eq(user))
        .add(Column::IsSuperuser.eq(true))
        .add(Column::IsActive.eq(true));
    match tx.find::<Entity>().filter(operator).one().await? {
        Some(_) => Ok(()),
        None => Err(ErrorCode::InvitationUnsupported.refuse()),
    }
}

/// The person, if the platform can do without him. Locks as [`lock_among_operators`] does.
///
/// # Errors
/// `NotFound`; `LAST_SUPERUSER` when he is the only active operator.
pub(crate) async fn lock_deletable(tx: &GlobalTx, user: UserId) -> Result<User> {
    match lock_with_superusers(tx, user).await? {
        (_, true) => Err(ErrorCode::LastSuperuser.refuse()),
        (user, false) => Ok(user),
    }
}

/// The person, and whether he is the only active operator. He and every operator are locked, in one order, so that two
/// who leave at once see each other go.
///
/// # Errors
/// `NotFound`.
pub(crate) async fn lock_with_superusers(tx: &GlobalTx, user: UserId) -> Result<(User, bool)> {
    let operators = Condition::all().add(Column::IsSuperuser.eq(true)).add(Column::IsActive.eq(true));
    let concerned = Condition::any().add(Column::Id.eq(user)).add(operators);
    let locked = tx.find::<Entity>().filter(concerned).all_locked(Column::Id).await?;
    let is_operator = |user: &User| user.is_superuser && user.is_active;
    let (own, others): (Vec<_>, Vec<_>) = locked.into_iter().partition(|locked| locked.id == user);
    let user = own.into_iter().next().ok_or(Error::NotFound(Entity::NAME))?;
    let is_last = is_operator(&user) && !others.iter().any(is_operator);
    Ok((user, is_last))
}

/// Lets a person log in, or lets him not.
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

/// Deletes an account; until `purge_after` it can be restored.
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

/// Brings a deleted account back.
///
/// # Errors
/// `NotFound` when there is none, or its time is over; `EMAIL_TAKEN`, `USERNAME_TAKEN` when somebody else has its names
/// by now.
pub(crate) async fn restore(tx: &GlobalTx, user: UserId) -> Result<User> {
    let due = Condition::all().add(Column::Id.eq(user)).add(Column::PurgeAfter.gt(tx.now()));
    let deleted = tx.find_deleted::<Entity>().filter(due).one_locked().await?;
    let deleted = deleted.ok_or(Error::NotFound(Entity::NAME))?;
    // Asked first: of two constraints a database names either.
    if super::owner_of(tx, &deleted.email_canonical).await?.is_some() {
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
struct Due {
    id: UserId,
}

/// The people whose time is over at the instant of the query.
pub(crate) async fn due(db: &Db) -> Result<Vec<UserId>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "finds the accounts to forget; they belong to no organization"
    )]
    let tx = db.unscoped().await?;
    let mut query = Query::select();
    query.column(Column::Id).from(Entity).and_where(Column::PurgeAfter.lte(tx.now()));
    Ok(tx.rows::<Due>(&query).await?.into_iter().map(|due| due.id).collect())
}

/// A person whose time is over, not locked yet.
///
/// # Errors
/// `NotFound` when he was restored, or forgotten, meanwhile.
pub(crate) async fn find_due(tx: &GlobalTx, user: UserId) -> Result<User> {
    let due = Condition::all().add(Column::Id.eq(user)).add(Column::PurgeAfter.lte(tx.now()));
    tx.find_deleted::<Entity>().filter(due).one().await?.ok_or(Error::NotFound(Entity::NAME))
}

/// Forgets a person whose time is over: the row stays, since others name it, and says nothing of him. Gives what it said.
///
/// # Errors
/// `NotFound` when he was restored, or forgotten, meanwhile.
pub(crate) async fn anonymize(tx: &GlobalTx, user: UserId) -> Result<User> {
    let due = Condition::all().add(Column::Id.eq(user)).add(Column::PurgeAfter.lte(tx.now()));
    let deleted = tx.find_deleted::<Entity>().filter(due).one_locked().await?;
    let deleted = deleted.ok_or(Error::NotFound(Entity::NAME))?;
    let row = ActiveModel {
        id: Set(user),
        email: Set(nobody(user)),
        email_canonical: Set(nobody(user)),
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
