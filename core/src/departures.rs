//! How a membership ends, with everything that ends with it: what is running stops, open tasks are nobody's, and projects
//! that only their members see are seen no more.

use crate::{
    Result,
    access::{MembersRemove, OwnMembership, Platform, Write},
    db::OrgTx,
    ids::MemberId,
    members::{self, Belonging, Expected},
    projects, tasks, time_entries,
};

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
pub async fn remove(tx: &OrgTx<MembersRemove>, member: MemberId, expected: &Expected) -> Result<()> {
    members::remove(tx, member, expected).await?;
    wind_up(tx, member).await
}

/// Ends the membership of somebody who is forgotten.
pub(crate) async fn depart(tx: &OrgTx<Platform>, membership: &Belonging) -> Result<()> {
    members::depart(tx, membership).await?;
    wind_up(tx, membership.member).await
}

/// What ends with a membership; the member is locked.
async fn wind_up<P: Write>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    time_entries::depart(tx, member).await?;
    tasks::depart(tx, member).await?;
    projects::depart(tx, member).await
}
