//! A person's profile, whose default organization is one of his.

use crate::{
    Result,
    base::{error::FieldErrors, ids::UserId},
    identity::users::{self, ProfileChanges, User},
    storage::db::{Db, Expected, GlobalTx},
    tenancy::members,
};

/// A person as he is shown: his default organization is one he is in, or `None`.
///
/// # Errors
/// Whatever the database refuses.
pub async fn with_default_organization(db: &Db, user: User) -> Result<User> {
    let default_organization_id = members::default_organization(db, &user).await?;
    Ok(User { default_organization_id, ..user })
}

/// Changes a profile. A change that changes nothing leaves no trace: neither a new version nor an event.
///
/// # Errors
/// `VALIDATION_FAILED` when he is no active member of his default organization; `USERNAME_TAKEN`;
/// `PRECONDITION_FAILED` when `expected` is not its version.
pub async fn change_profile(
    tx: &GlobalTx,
    user: UserId,
    changes: ProfileChanges,
    expected: &Expected,
) -> Result<User> {
    if let Some(Some(org)) = changes.default_organization
        && !members::belongs(tx, user, org).await?
    {
        let mut fields = FieldErrors::default();
        fields.add(
            "default_organization_id",
            "UNKNOWN_REFERENCE",
            "You are not a member of such an organization.",
        );
        fields.into_result()?;
    }
    let (user, event) = users::update(tx, user, changes, expected).await?;
    if let Some((action, details)) = event {
        super::record(tx, action, user.id, details).await?;
    }
    Ok(user)
}
