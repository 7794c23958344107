//! What ends when a membership stops acting: what is running stops; and where it is over, open tasks are nobody's, and projects
//! that only their members see are seen no more.

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

/// Changes a member; where that leaves them suspended, their timer stops.
///
/// # Errors
/// Those of [`members::update`].
pub async fn change(
    tx: &OrgTx<MembersUpdate>,
    member: MemberId,
    changes: MemberChanges,
    expected: &ExpectedMember,
) -> Result<MemberDetails> {
    let changed = members::update(tx, member, changes, expected).await?;
    if changed.member.status != ACTIVE {
        time_entries::depart(tx, member).await?;
    }
    Ok(changed)
}

/// Lets the caller go from the organization.
///
/// # Errors
/// `NOT_A_MEMBER` for operators of the platform; `PERSONAL_ORGANIZATION`; `LAST_OWNER`; `NotFound` when it was deleted, or he
/// was removed, at the same time.
pub async fn leave(tx: &OrgTx<OwnMembership>) -> Result<()> {
    members::leave(tx).await?;
    wind_up(tx, tx.own_member()?).await
}

/// Removes a member: what he did stays, his roles go.
///
/// # Errors
/// `NotFound`, also when he was removed before; `PRECONDITION_FAILED`; `OWNER_PROTECTED`, `REAUTH_REQUIRED` where he is an
/// owner; `PERSONAL_ORGANIZATION` for its one owner; `LAST_OWNER`.
pub async fn remove(tx: &OrgTx<MembersRemove>, member: MemberId, expected: &ExpectedMember) -> Result<()> {
    members::remove(tx, member, expected).await?;
    wind_up(tx, member).await
}

/// Ends the membership of somebody who is forgotten.
pub(crate) async fn depart(tx: &OrgTx<Platform>, membership: &MembershipRecord) -> Result<()> {
    members::end_membership(tx, membership).await?;
    wind_up(tx, membership.member).await
}

/// Stops the timers of a person whose account can act no more, in every organization. The memberships stay. Their
/// organizations and the person are locked.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn stop_timers(tx: &GlobalTx, user: UserId) -> Result<()> {
    let mut memberships = members::memberships_of(tx, user).await?;
    memberships.retain(|membership| !membership.is_over());
    lock(tx, &memberships).await?;
    for membership in &memberships {
        time_entries::depart(&enter(tx, membership).await?, membership.member).await?;
    }
    Ok(())
}

/// Locks memberships, given in the order of their ids: all of them before anything that is theirs, as everybody does.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn lock(tx: &GlobalTx, memberships: &[MembershipRecord]) -> Result<()> {
    for membership in memberships {
        members::lock_one(&enter(tx, membership).await?, membership.member).await?;
    }
    Ok(())
}

async fn enter(tx: &GlobalTx, membership: &MembershipRecord) -> Result<OrgTx<Platform>> {
    #[expect(clippy::disallowed_methods, reason = "an account acts in every organization of its person")]
    tx.enter_org(membership.organization).await
}

/// What ends with a membership; the member is locked.
async fn wind_up<P: WritePermission>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    time_entries::depart(tx, member).await?;
    tasks::depart(tx, member).await?;
    projects::depart(tx, member).await
}
