//! Operations of superusers on organizations.

use crate::{
    Result,
    base::{
        error::FieldErrors,
        ids::{OrgId, UserId},
        permissions::Platform,
        text::EmailAddress,
    },
    identity::users,
    lifecycle::accounts,
    storage::db::{ExpectedVersion, GlobalTx, OrgTx},
    tenancy::organizations::{self, NewOrganization, Organization, OrganizationChanges},
    work::time_entries,
};

/// The owner of a new organization.
#[derive(Clone, Debug)]
pub enum Owner {
    /// By the id of the user.
    Id(UserId),
    /// By their e-mail address.
    Email(EmailAddress),
}

/// Creates an organization for a user, who becomes its owner.
///
/// # Errors
/// `VALIDATION_FAILED` naming `owner_id` or `owner_email` if there is no such active account; `SLUG_TAKEN`.
pub async fn create(tx: &GlobalTx, owner: Owner, new: NewOrganization) -> Result<Organization> {
    let (field, found) = match owner {
        Owner::Id(id) => ("owner_id", users::lock_by_id(tx, id).await?),
        Owner::Email(email) => ("owner_email", users::lock_by_email(tx, &email).await?),
    };
    let mut fields = FieldErrors::default();
    let owner = found.filter(|user| user.is_active);
    if owner.is_none() {
        fields.add(field, "UNKNOWN_REFERENCE", "There is no active account with this id or e-mail address.");
    }
    fields.into_result()?;
    let owner = owner.ok_or(crate::Error::NotFound("user"))?;
    accounts::create_organization(tx, owner.id, new).await
}

/// Updates an organization, with the same fields as its owners.
///
/// # Errors
/// `NotFound`, and those of [`organizations::update`].
pub async fn change(
    tx: &GlobalTx,
    org: OrgId,
    changes: OrganizationChanges,
    expected: &ExpectedVersion,
) -> Result<Organization> {
    organizations::apply(&enter(tx, org).await?, changes, expected).await
}

/// Suspends an organization, which makes it read-only. A suspended one stays as it is, without an audit event.
///
/// # Errors
/// `NotFound`; `ORGANIZATION_DELETED`.
pub async fn suspend(tx: &GlobalTx, org: OrgId) -> Result<Organization> {
    let scope = enter(tx, org).await?;
    let organization = organizations::set_suspended(&scope, true).await?;
    // Members of a suspended organization could not stop their timers.
    time_entries::stop_all_timers(&scope).await?;
    Ok(organization)
}

/// Ends the suspension of an organization. Another one stays as it is, without an audit event.
///
/// # Errors
/// `NotFound`; `ORGANIZATION_DELETED`.
pub async fn resume(tx: &GlobalTx, org: OrgId) -> Result<Organization> {
    organizations::set_suspended(&enter(tx, org).await?, false).await
}

/// Deletes an organization, which can be restored for 30 days.
///
/// # Errors
/// `NotFound`, and those of [`super::close`].
pub async fn remove(tx: &GlobalTx, org: OrgId, expected: &ExpectedVersion) -> Result<()> {
    super::delete_organization(&enter(tx, org).await?, expected).await
}

/// Restores a deleted organization. One that is not deleted stays as it is, without an audit event.
///
/// # Errors
/// `NotFound`, and those of [`super::reopen`].
pub async fn restore(tx: &GlobalTx, org: OrgId) -> Result<Organization> {
    super::restore_organization(&enter(tx, org).await?).await
}

/// Enters the organization that a superuser names. If it does not exist, the query of its row fails.
async fn enter(tx: &GlobalTx, org: OrgId) -> Result<OrgTx<Platform>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "superusers change any organization, and its audit log records it"
    )]
    tx.enter_org(org).await
}
