//! References to members in queries.

use crate::{
    Result,
    base::{ids::MemberId, permissions::RequiredPermission},
    storage::db::OrgTx,
};

/// The member that a query is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRef {
    /// The caller.
    Me,
    /// This member.
    Member(MemberId),
}

impl MemberRef {
    /// Returns the id of the member.
    ///
    /// # Errors
    /// `NOT_A_MEMBER` for [`MemberRef::Me`] of a superuser.
    pub(crate) fn member<P: RequiredPermission>(self, tx: &OrgTx<P>) -> Result<MemberId> {
        match self {
            Self::Me => tx.own_member(),
            Self::Member(member) => Ok(member),
        }
    }
}
