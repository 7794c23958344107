//! What operators of the platform do with organizations.

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
    storage::db::{Expected, GlobalTx, OrgTx},
    tenancy::organizations::{self, NewOrganization, Organization, OrganizationChanges},
    work::time_entries,
};

/// Who is to own a new organization.
#[derive(Clone, Debug)]
pub enum Owner {
    /// By his id.
    Id(UserId),
    /// By his address.
    Email(EmailAddress),
}

/// Founds an organization for somebody, who becomes its owner.
///
/// # Errors
/// `VALIDATION_FAILED` naming `owner_id` or `owner_email` when there is no such active account; `SLUG_TAKEN`.
pub async fn create(tx: &GlobalTx, owner: Owner, new: NewOrganization) -> Result<Organization> {
    let (field, found) = match owner {
        Owner::Id(id) => ("owner_id", users::with_id(tx, id).await?),
        Owner::Email(email) => ("owner_email", users::with_email(tx, &email).await?),
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

/// Changes an organization, as its owner may.
///
/// # Errors
/// `NotFound`, and those of [`organizations::change`].
pub async fn change(
    tx: &GlobalTx,
    org: OrgId,
    changes: OrganizationChanges,
    expected: &Expected,
) -> Result<Organization> {
    organizations::apply(&enter(tx, org).await?, changes, expected).await
}

/// Lets an organization only be read. One that is so already stays so, without a trace.
///
/// # Errors
/// `NotFound`; `ORGANIZATION_DELETED`.
pub async fn suspend(tx: &GlobalTx, org: OrgId) -> Result<Organization> {
    let scope = enter(tx, org).await?;
    let organization = organizations::suspend(&scope, true).await?;
    // Nobody could stop them.
    time_entries::stop_all_timers(&scope).await?;
    Ok(organization)
}

/// Lets a suspended organization be changed again. One that can be stays so, without a trace.
///
/// # Errors
/// `NotFound`; `ORGANIZATION_DELETED`.
pub async fn resume(tx: &GlobalTx, org: OrgId) -> Result<Organization> {
    organizations::suspend(&enter(tx, org).await?, false).await
}

/// Deletes an organization; for 30 days it can be restored.
///
/// # Errors
/// `NotFound`, and those of [`super::close`].
pub async fn remove(tx: &GlobalTx, org: OrgId, expected: &Expected) -> Result<()> {
    super::end(&enter(tx, org).await?, expected).await
}

/// Brings a deleted organization back. One that lives stays as it is, without a trace.
///
/// # Errors
/// `NotFound`, and those of [`super::reopen`].
pub async fn restore(tx: &GlobalTx, org: OrgId) -> Result<Organization> {
    super::bring_back(&enter(tx, org).await?).await
}

/// Steps into an organization that an operator names; whether there is one shows when its row is asked for.
async fn enter(tx: &GlobalTx, org: OrgId) -> Result<OrgTx<Platform>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "operators change every organization, which sees it in its log"
    )]
    tx.enter_org(org).await
}
