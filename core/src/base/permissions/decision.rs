//! Decides whether a member may do something, and why. Requests and the operations that explain permissions use the
//! same rule.

use std::sync::Arc;

use super::{BuiltinRole, Permission, PermissionSet};
use crate::base::ids::RoleId;

/// A role and the permissions that it grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleGrants {
    /// Id of the role.
    pub id: RoleId,
    /// Stable key for programs.
    pub key: String,
    /// Name for people.
    pub name: String,
    /// Is it a built-in role? Its permissions are defined in code.
    pub is_builtin: bool,
    /// The permissions that the role grants.
    pub permissions: PermissionSet,
}

/// The state of a membership: all inputs of the decision.
#[derive(Clone, Debug, Default)]
pub struct MembershipAccess {
    /// Was the organization deleted?
    pub is_deleted: bool,
    /// Is the organization suspended (read-only)?
    pub is_suspended: bool,
    /// Is the member suspended or removed?
    pub is_inactive: bool,
    /// The roles of the member.
    pub roles: Arc<[RoleGrants]>,
}

/// The reason of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionReason {
    /// A role of the member grants the permission, or no permission is needed.
    Granted,
    /// No role of the member grants the permission.
    PermissionMissing,
    /// The organization is suspended, so it is read-only.
    OrganizationSuspended,
    /// The organization was deleted.
    OrganizationDeleted,
    /// The member is suspended or was removed.
    MembershipInactive,
}

/// Whether a member may do something, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Why it is allowed or refused.
    pub reason: DecisionReason,
    /// The keys of the member's roles that grant the permission.
    pub granted_by: Vec<String>,
}

impl Decision {
    /// Is the operation allowed?
    pub fn is_allowed(&self) -> bool {
        self.reason == DecisionReason::Granted
    }
}

impl RoleGrants {
    /// Is it the built-in role `owner`?
    pub fn is_owner(&self) -> bool {
        self.is_builtin && self.key == BuiltinRole::Owner.key()
    }

    /// The permissions in code for a built-in role, or the `stored` permissions for another role.
    pub(crate) fn permissions_of(key: &str, is_builtin: bool, stored: PermissionSet) -> PermissionSet {
        match BuiltinRole::from_key(key) {
            Some(role) if is_builtin => role.permissions(),
            _ => stored,
        }
    }
}

impl MembershipAccess {
    /// All permissions that the member's roles grant.
    pub fn held(&self) -> PermissionSet {
        self.roles.iter().fold(PermissionSet::default(), |held, role| held.union(role.permissions))
    }

    /// Is one of the roles `owner`?
    pub fn is_owner(&self) -> bool {
        self.roles.iter().any(RoleGrants::is_owner)
    }

    /// The keys of the member's roles.
    pub fn keys(&self) -> Vec<String> {
        self.roles.iter().map(|role| role.key.clone()).collect()
    }

    /// Decides. `permission` is `None` where membership is enough. `changes`: does the operation change the
    /// organization? `allows_deleted`: is the operation also allowed in a deleted organization?
    pub fn decide(&self, permission: Option<Permission>, changes: bool, allows_deleted: bool) -> Decision {
        let allows = |role: &&RoleGrants| permission.is_some_and(|wanted| role.permissions.contains(wanted));
        let granted_by: Vec<_> = self.roles.iter().filter(allows).map(|role| role.key.clone()).collect();
        let reason = match () {
            () if self.is_inactive => DecisionReason::MembershipInactive,
            () if self.is_deleted && !allows_deleted => DecisionReason::OrganizationDeleted,
            () if changes && self.is_suspended => DecisionReason::OrganizationSuspended,
            () if permission.is_some() && granted_by.is_empty() => DecisionReason::PermissionMissing,
            () => DecisionReason::Granted,
        };
        Decision { reason, granted_by }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn role(number: usize, permissions: PermissionSet) -> RoleGrants {
        let key = format!("role-{number}");
        RoleGrants {
            id: RoleId::new(DateTime::default()),
            name: key.clone(),
            key,
            is_builtin: false,
            permissions,
        }
    }

    proptest! {
        /// An operation is allowed if and only if the union of the roles contains its permission.
        #[test]
        fn a_decision_is_the_union_of_the_roles(
            sets in vec(vec(0..Permission::ALL.len(), 0..6), 0..5),
            wanted in 0..Permission::ALL.len(),
            (is_deleted, is_suspended, is_inactive) in any::<(bool, bool, bool)>(),
        ) {
            let set = |numbers: &Vec<usize>| numbers.iter().map(|number| Permission::ALL[*number]).collect();
            let roles = sets.iter().enumerate().map(|(number, permissions)| role(number, set(permissions)));
            let access = MembershipAccess { is_deleted, is_suspended, is_inactive, roles: roles.collect() };
            let wanted = Permission::ALL[wanted];
            let decision = access.decide(Some(wanted), wanted.changes(), false);
            let is_blocked = is_inactive || is_deleted || is_suspended && wanted.changes();
            prop_assert_eq!(decision.is_allowed(), !is_blocked && access.held().contains(wanted));
            prop_assert_eq!(decision.granted_by.is_empty(), !access.held().contains(wanted));
        }
    }

    #[test]
    fn a_custom_role_with_the_key_of_a_built_in_one_has_its_own_permissions() {
        let forged = RoleGrants { key: "owner".into(), ..role(0, PermissionSet::default()) };
        let access = MembershipAccess { roles: Arc::new([forged]), ..MembershipAccess::default() };
        assert!(!access.is_owner() && access.held().is_empty());
        assert!(RoleGrants::permissions_of("owner", false, PermissionSet::default()).is_empty());
        assert_eq!(RoleGrants::permissions_of("owner", true, PermissionSet::default()), PermissionSet::all());
    }
}
