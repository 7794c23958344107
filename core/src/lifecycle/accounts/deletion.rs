//! How an account is deleted, and comes back while it can.

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
        audit::{Action, Details},
        db::GlobalTx,
        outbox::Job,
    },
    tenancy::{
        members::{self, MembershipRecord},
        organizations,
    },
    work::offboarding,
};

/// How long an account can be restored that its person deleted.
pub const SELF_DELETE_GRACE: TimeDelta = TimeDelta::days(14);
/// How long an account can be restored that an operator deleted.
pub const ADMIN_DELETE_GRACE: TimeDelta = TimeDelta::days(30);

/// Deletes an account; for the time of `grace` it can be restored. Every log-in ends, and his own organization is
/// deleted with it. His other memberships stay until he is forgotten: an owner whose account is deleted counts for none.
///
/// # Errors
/// `NotFound`; `LAST_SUPERUSER`; `LAST_OWNER` naming the organizations that would have none.
pub async fn remove(tx: &GlobalTx, user: UserId, grace: TimeDelta) -> Result<()> {
    let user = leave(tx, user).await?;
    sessions::still_signed_in(tx).await?;
    let purge_after = tx.now() + grace;
    sessions::revoke(tx, user.id, RevokeScope::All, "account-deleted").await?;
    one_time_tokens::revoke(tx, user.id, TokenPurpose::MAILED_TO_ACT).await?;
    users::delete(tx, &user, purge_after).await?;
    for org in personal(tx, user.id).await? {
        close(tx, org, purge_after).await?;
    }
    let platform = tx.platform().await?;
    platform.record(Action::UserDeleted, user.id, Details::removed(users::facts(&user))).await?;
    platform.enqueue(&Job::SendAccountDeleted { user: user.id }).await?;
    Ok(())
}

/// The person, locked, after it is sure that neither the platform nor an organization is lost without him. His
/// organizations are locked before, and his timers stop.
///
/// # Errors
/// `NotFound`; `LAST_SUPERUSER`; `LAST_OWNER`.
pub(super) async fn leave(tx: &GlobalTx, user: UserId) -> Result<User> {
    let organizations = members::lock_organizations(tx, user).await?;
    let user = users::lock_deletable(tx, user).await?;
    members::refuse_sole_owner(tx, user.id, &organizations).await?;
    offboarding::stop_timers(tx, user.id).await?;
    Ok(user)
}

/// The organizations that are a person's own, deleted or not: one or none.
pub(super) async fn personal(tx: &GlobalTx, user: UserId) -> Result<Vec<OrgId>> {
    let memberships = members::memberships_of(tx, user).await?.into_iter();
    Ok(memberships.filter(MembershipRecord::is_personal).map(|one| one.organization).collect())
}

async fn close(tx: &GlobalTx, org: OrgId, purge_after: DateTime<Utc>) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "a person's own organization goes with his account")]
    let scope = tx.enter_org(org).await?;
    let organization = organizations::lock(&scope).await?;
    organizations::delete(&scope, organization, purge_after).await
}

/// Brings a deleted account back, with its organization and its memberships. No log-in of before comes back.
///
/// # Errors
/// `NotFound` when there is none to bring back; `EMAIL_TAKEN`, `USERNAME_TAKEN` when somebody else has its names by now.
pub async fn restore(tx: &GlobalTx, user: UserId) -> Result<User> {
    let own = personal(tx, user).await?;
    organizations::lock_each(tx, own.iter().copied().collect()).await?;
    let user = users::restore(tx, user).await?;
    // One that began while the account was being deleted.
    sessions::revoke(tx, user.id, RevokeScope::All, "account-restored").await?;
    for org in own {
        #[expect(
            clippy::disallowed_methods,
            reason = "a person's own organization comes back with his account"
        )]
        let scope = tx.enter_org(org).await?;
        let organization = organizations::lock_deleted(&scope).await?;
        organizations::restore(&scope, organization).await?;
    }
    super::record(tx, Action::UserRestored, user.id, Details::created(users::facts(&user))).await?;
    Ok(user)
}
