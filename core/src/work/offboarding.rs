//! Work data of members who are suspended or removed, or leave. Their timers stop. When the membership ends, their open
//! tasks are unassigned and they leave private projects.

use crate::{
    Result,
    base::{
        ids::{MemberId, UserId},
        permissions::{MembersRemove, MembersUpdate, OwnMembership, Platform, WritePermission},
    },
    storage::db::{GlobalTx, OrgTx},
    tenancy::members::{self, ACTIVE, ExpectedMember, MemberChanges, MemberDetails, MembershipRecord},
    work::{projects, tasks, time_entries},
};

/// Updates a member, and stops their timer if that suspends them.
///
/// # Errors
/// See [`members::change`].
pub async fn change(
    tx: &OrgTx<MembersUpdate>,
    member: MemberId,
    changes: MemberChanges,
    expected: &ExpectedMember,
) -> Result<MemberDetails> {
    let changed = members::update(tx, member, changes, expected).await?;
    if changed.member.status != ACTIVE {
        time_entries::stop_timer_of(tx, member).await?;
    }
    Ok(changed)
}

/// Ends the membership of the caller.
///
/// # Errors
/// `NOT_A_MEMBER` for superusers; `PERSONAL_ORGANIZATION`; `LAST_OWNER`; `NotFound` if the organization was deleted or
/// the member was removed at the same time.
pub async fn leave(tx: &OrgTx<OwnMembership>) -> Result<()> {
    members::leave(tx).await?;
    end_work(tx, tx.own_member()?).await
}

/// Removes a member. Their work data stays, their roles are deleted.
///
/// # Errors
/// `NotFound`, also if they were removed before; `PRECONDITION_FAILED`; `OWNER_PROTECTED` and `REAUTH_REQUIRED` for
/// owners; `PERSONAL_ORGANIZATION` for its owner; `LAST_OWNER`.
pub async fn remove(tx: &OrgTx<MembersRemove>, member: MemberId, expected: &ExpectedMember) -> Result<()> {
    members::remove(tx, member, expected).await?;
    end_work(tx, member).await
}

/// Ends a membership of a user who is anonymized.
pub(crate) async fn end_membership(tx: &OrgTx<Platform>, membership: &MembershipRecord) -> Result<()> {
    members::end_membership(tx, membership).await?;
    end_work(tx, membership.member).await
}

/// Stops the timers of a deactivated user in all organizations. The memberships stay. The caller has locked the
/// organizations and the user.
///
/// # Errors
/// Errors of the database.
pub(crate) async fn stop_timers(tx: &GlobalTx, user: UserId) -> Result<()> {
    let mut memberships = members::memberships_of(tx, user).await?;
    memberships.retain(|membership| !membership.is_over());
    lock_memberships(tx, &memberships).await?;
    for membership in &memberships {
        time_entries::stop_timer_of(&enter(tx, membership).await?, membership.member).await?;
    }
    Ok(())
}

/// Locks memberships, sorted by id, before anything that belongs to them. This is the global lock order.
///
/// # Errors
/// Errors of the database.
pub(crate) async fn lock_memberships(tx: &GlobalTx, memberships: &[MembershipRecord]) -> Result<()> {
    for membership in memberships {
        members::lock_one(&enter(tx, membership).await?, membership.member).await?;
    }
    Ok(())
}

async fn enter(tx: &GlobalTx, membership: &MembershipRecord) -> Result<OrgTx<Platform>> {
    #[expect(clippy::disallowed_methods, reason = "an account acts in every organization of its user")]
    tx.enter_org(membership.organization).await
}

/// Ends what depends on a membership. The caller has locked the member.
async fn end_work<P: WritePermission>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    time_entries::stop_timer_of(tx, member).await?;
    tasks::unassign_member(tx, member).await?;
    projects::remove_member(tx, member).await
}
