//! Delete and restore accounts.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Result,
    base::ids::{OrgId, UserId},
    identity::{
        one_time_tokens::{self, TokenPurpose},
        sessions::{self, RevokeScope},
        users::{self, User},
    },
    storage::{
        audit::{Action, EventDetails},
        db::GlobalTx,
        outbox::Job,
    },
    tenancy::{
        members::{self, MembershipRecord},
        organizations,
    },
    work::offboarding,
};

/// Grace period of an account that its user deleted.
pub const SELF_DELETE_GRACE: TimeDelta = TimeDelta::days(14);
/// Grace period of an account that a superuser deleted.
pub const ADMIN_DELETE_GRACE: TimeDelta = TimeDelta::days(30);

/// Deletes an account, which can be restored during `grace`. All sessions end, and the personal organization is deleted
/// too. Other memberships stay until the account is purged, but an owner with a deleted account does not count as an
/// owner.
///
/// # Errors
/// `NotFound`; `LAST_SUPERUSER`; `LAST_OWNER` naming the organizations that would have none.
pub async fn remove(tx: &GlobalTx, user: UserId, grace: TimeDelta) -> Result<()> {
    let user = prepare_removal(tx, user).await?;
    sessions::still_signed_in(tx).await?;
    let purge_after = tx.now() + grace;
    sessions::revoke(tx, user.id, RevokeScope::All, "account-deleted").await?;
    one_time_tokens::revoke(tx, user.id, TokenPurpose::MAILED_TO_ACT).await?;
    users::delete(tx, &user, purge_after).await?;
    for org in personal_organizations(tx, user.id).await? {
        close(tx, org, purge_after).await?;
    }
    let platform = tx.platform().await?;
    platform.record(Action::UserDeleted, user.id, EventDetails::removed(users::facts(&user))).await?;
    platform.enqueue(&Job::SendAccountDeleted { user: user.id }).await?;
    Ok(())
}

/// Locks the organizations of a user and the user. Checks that the platform keeps a superuser and each organization an
/// owner without them. Stops the timers of the user.
///
/// # Errors
/// `NotFound`; `LAST_SUPERUSER`; `LAST_OWNER`.
pub(super) async fn prepare_removal(tx: &GlobalTx, user: UserId) -> Result<User> {
    let organizations = members::lock_organizations(tx, user).await?;
    let user = users::lock_deletable(tx, user).await?;
    members::refuse_sole_owner(tx, user.id, &organizations).await?;
    offboarding::stop_timers(tx, user.id).await?;
    Ok(user)
}

/// The personal organizations of a user, deleted or not: at most one.
pub(super) async fn personal_organizations(tx: &GlobalTx, user: UserId) -> Result<Vec<OrgId>> {
    let memberships = members::memberships_of(tx, user).await?.into_iter();
    Ok(memberships.filter(MembershipRecord::is_personal).map(|membership| membership.organization).collect())
}

async fn close(tx: &GlobalTx, org: OrgId, purge_after: DateTime<Utc>) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the personal organization is deleted with its account")]
    let scope = tx.enter_org(org).await?;
    let organization = organizations::lock(&scope).await?;
    organizations::delete(&scope, organization, purge_after).await
}

/// Restores a deleted account with its personal organization and its memberships. Earlier sessions stay ended.
///
/// # Errors
/// `NotFound` if the account is not deleted; `EMAIL_TAKEN`, `USERNAME_TAKEN` if another account uses them now.
pub async fn restore(tx: &GlobalTx, user: UserId) -> Result<User> {
    let own = personal_organizations(tx, user).await?;
    organizations::lock_each(tx, own.iter().copied().collect()).await?;
    let user = users::restore(tx, user).await?;
    // A session can have started while the account was being deleted.
    sessions::revoke(tx, user.id, RevokeScope::All, "account-restored").await?;
    for org in own {
        #[expect(
            clippy::disallowed_methods,
            reason = "the personal organization is restored with its account"
        )]
        let scope = tx.enter_org(org).await?;
        let organization = organizations::lock_deleted(&scope).await?;
        organizations::restore(&scope, organization).await?;
    }
    super::record(tx, Action::UserRestored, user.id, EventDetails::created(users::facts(&user))).await?;
    Ok(user)
}
