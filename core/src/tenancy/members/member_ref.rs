//! Members that a question names.

use crate::{
    Result,
    base::{ids::MemberId, permissions::RequiredPermission},
    storage::db::OrgTx,
};

/// Whose it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRef {
    /// Whoever asks.
    Me,
    /// This member.
    Member(MemberId),
}

impl MemberRef {
    /// The member.
    ///
    /// # Errors
    /// `NOT_A_MEMBER` for an operator of the platform who asks for his own.
    pub(crate) fn member<P: RequiredPermission>(self, tx: &OrgTx<P>) -> Result<MemberId> {
        match self {
            Self::Me => tx.own_member(),
            Self::Member(member) => Ok(member),
        }
    }
}
