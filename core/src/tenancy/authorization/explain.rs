//! Explains whether a member has a permission and why, without making a request.

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

/// Whether a member has a permission, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The permission in question.
    pub permission: Permission,
    /// The decision and its reason.
    pub decision: Decision,
    /// The keys of the member's roles.
    pub roles_held: Vec<String>,
    /// The keys of the organization's roles that include the permission.
    pub roles_that_grant: Vec<String>,
}

/// Decides as for a request of this member. `member`: `None` for the caller.
///
/// # Errors
/// `Forbidden` for another member without `members:read`; `NotFound` when the member does not exist; `NOT_A_MEMBER` for
/// superusers who ask about themselves.
pub async fn explain(
    tx: &OrgTx<Membership>,
    permission: Permission,
    member: Option<MemberId>,
) -> Result<Explanation> {
    let own = tx.member();
    let subject = match member {
        Some(member) => member,
        None => tx.own_member()?,
    };
    if own != Some(subject) {
        crate::tenancy::members::require_permission(tx, Permission::MembersRead).await?;
    }
    let is_inactive = own != Some(subject) && get(tx, subject).await?.member.status != ACTIVE;
    let organization = tx.find::<organizations::Entity>().one().await?;
    let access = MembershipAccess {
        is_deleted: false,
        is_suspended: organization.status != organizations::ACTIVE,
        is_inactive,
        roles: grants_of(tx, subject).await?.into(),
    };
    Ok(Explanation {
        permission,
        decision: access.decide(Some(permission), permission.changes(), false),
        roles_held: access.keys(),
        roles_that_grant: roles::keys_granting(tx, permission).await?,
    })
}
