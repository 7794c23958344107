//! A user's profile with their default organization.

use crate::{
    Result,
    base::{error::FieldErrors, ids::UserId},
    identity::users::{self, ProfileChanges, User},
    storage::db::{Db, ExpectedVersion, GlobalTx},
    tenancy::members,
};

/// Adds the default organization, which is one that the user is a member of, or `None`.
///
/// # Errors
/// Errors of the database.
pub async fn with_default_organization(db: &Db, user: User) -> Result<User> {
    let default_organization_id = members::default_organization(db, &user).await?;
    Ok(User { default_organization_id, ..user })
}

/// Updates a profile. A change without effect creates neither a new version nor an audit event.
///
/// # Errors
/// `VALIDATION_FAILED` if the user is not an active member of the default organization; `USERNAME_TAKEN`;
/// `PRECONDITION_FAILED` when `expected` is not its version.
pub async fn change_profile(
    tx: &GlobalTx,
    user: UserId,
    changes: ProfileChanges,
    expected: &ExpectedVersion,
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
