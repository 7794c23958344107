//! Why somebody may or may not do something: what a request would be told, without making it.

use crate::tenancy::members::{ACTIVE, get, grants_of};
use crate::{
    Result,
    base::{
        ids::MemberId,
        permissions::{Decision, Membership, MembershipAccess, Permission},
    },
    storage::db::OrgTx,
    tenancy::{organizations, roles},
};

/// Whether a member may do something, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What was asked about.
    pub permission: Permission,
    /// Whether, and why.
    pub decision: Decision,
    /// The keys of the roles he holds.
    pub roles_held: Vec<String>,
    /// The keys of the roles of the organization that would do.
    pub roles_that_grant: Vec<String>,
}

/// Decides as a request of this member would be decided. `member`: `None` for the caller himself.
///
/// # Errors
/// `Forbidden` to ask about others without `members:read`; `NotFound` when there is no such member; `NOT_A_MEMBER` for
/// operators who ask about themselves.
pub async fn explain(
    tx: &OrgTx<Membership>,
    permission: Permission,
    member: Option<MemberId>,
) -> Result<Explanation> {
    let own = tx.member();
    let asked = match member {
        Some(member) => member,
        None => tx.own_member()?,
    };
    if own != Some(asked) && !tx.may(Permission::MembersRead) {
        return Err(crate::tenancy::members::lack(tx, Permission::MembersRead).await?);
    }
    let is_inactive = own != Some(asked) && get(tx, asked).await?.member.status != ACTIVE;
    let organization = tx.find::<organizations::Entity>().one().await?;
    let position = MembershipAccess {
        is_deleted: false,
        is_suspended: organization.status != organizations::ACTIVE,
        is_inactive,
        roles: grants_of(tx, asked).await?,
    };
    Ok(Explanation {
        permission,
        decision: position.decide(Some(permission), permission.changes(), false),
        roles_held: position.keys(),
        roles_that_grant: roles::that_grant(tx, permission).await?,
    })
}
