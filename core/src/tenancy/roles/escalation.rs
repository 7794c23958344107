//! The rules against privilege escalation.

use crate::{
    Error, Result,
    base::{
        error::ErrorCode,
        permissions::{ActorAccess, PermissionSet},
    },
};

impl ActorAccess {
    /// Checks a grant: users can only grant permissions that they have, and only owners can make owners. Every operation that
    /// grants permissions calls it: creating and changing roles, roles of members, invitations, and reactivation of members.
    ///
    /// # Errors
    /// `OWNER_PROTECTED`; `ESCALATION` with the missing permissions.
    pub fn refuse_escalation(&self, granted: PermissionSet, makes_owner: bool) -> Result<()> {
        let missing = granted.without(self.held);
        match () {
            () if self.is_owner => Ok(()),
            () if makes_owner => Err(ErrorCode::OwnerProtected.refuse()),
            () if !missing.is_empty() => Err(Error::Escalation(missing)),
            () => Ok(()),
        }
    }

    /// Checks a change of an owner: only owners with a recent login can change owners.
    ///
    /// # Errors
    /// `OWNER_PROTECTED`, `REAUTH_REQUIRED`.
    pub fn refuse_touching_owner(&self) -> Result<()> {
        match (self.is_owner, self.is_recent) {
            (false, _) => Err(ErrorCode::OwnerProtected.refuse()),
            (true, false) => Err(ErrorCode::ReauthRequired.refuse()),
            (true, true) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::permissions::Permission;

    fn facts(held: &[Permission], is_owner: bool, is_recent: bool) -> ActorAccess {
        ActorAccess { held: held.iter().copied().collect(), is_owner, is_recent, ..ActorAccess::platform() }
    }

    #[test]
    fn nobody_grants_permissions_that_they_do_not_have() {
        use Permission::{AuditRead, RolesCreate, SettingsUpdate};
        let some = facts(&[RolesCreate, AuditRead], false, true);
        let set = |permissions: &[Permission]| permissions.iter().copied().collect::<PermissionSet>();
        assert!(some.refuse_escalation(set(&[AuditRead]), false).is_ok());
        assert!(some.refuse_escalation(set(&[]), false).is_ok());
        match some.refuse_escalation(set(&[AuditRead, SettingsUpdate]), false) {
            Err(Error::Escalation(missing)) => assert_eq!(missing, set(&[SettingsUpdate])),
            other => panic!("{other:?}"),
        }
        // Even a user with all permissions cannot make owners.
        let all = ActorAccess { held: PermissionSet::all(), ..some };
        assert_eq!(all.refuse_escalation(set(&[]), true).unwrap_err().code(), ErrorCode::OwnerProtected);
        assert!(facts(&[], true, false).refuse_escalation(PermissionSet::all(), true).is_ok());
    }

    #[test]
    fn only_an_owner_with_a_recent_login_changes_owners() {
        let code = |facts: ActorAccess| facts.refuse_touching_owner().err().map(|error| error.code());
        assert_eq!(code(facts(Permission::ALL, false, true)), Some(ErrorCode::OwnerProtected));
        assert_eq!(code(facts(&[], true, false)), Some(ErrorCode::ReauthRequired));
        assert_eq!(code(facts(&[], true, true)), None);
    }
}
