//! Decides whether a member may do something, and why. The same rule serves requests, and questions about permissions.

use super::{BuiltinRole, Permission, PermissionSet};
use crate::base::ids::RoleId;

/// A role that somebody holds, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleGrants {
    /// The role.
    pub id: RoleId,
    /// Its stable name, for programs.
    pub key: String,
    /// Its name, for people.
    pub name: String,
    /// Do its permissions come from code?
    pub is_builtin: bool,
    /// What it allows.
    pub permissions: PermissionSet,
}

/// The state of a membership: everything that the decision depends on.
#[derive(Clone, Debug, Default)]
pub struct MembershipAccess {
    /// Was the organization deleted?
    pub is_deleted: bool,
    /// Can the organization only be read?
    pub is_suspended: bool,
    /// Is the member suspended or removed?
    pub is_inactive: bool,
    /// The roles of the member.
    pub roles: Vec<RoleGrants>,
}

/// Why somebody may or may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionReason {
    /// A role of the member grants it, or it needs no permission.
    Granted,
    /// No role of the member grants it.
    PermissionMissing,
    /// The organization can only be read.
    OrganizationSuspended,
    /// The organization was deleted.
    OrganizationDeleted,
    /// He is suspended, or belongs to it no more.
    MembershipInactive,
}

/// Whether somebody may do something, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Why.
    pub reason: DecisionReason,
    /// The keys of the member's roles that grant it.
    pub granted_by: Vec<String>,
}

impl Decision {
    /// Is it allowed?
    pub fn is_allowed(&self) -> bool {
        self.reason == DecisionReason::Granted
    }
}

impl RoleGrants {
    /// Is it the role of owners?
    pub fn is_owner(&self) -> bool {
        self.is_builtin && self.key == BuiltinRole::Owner.key()
    }

    /// Of a built-in role what the code says, of another one what is stored.
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

    /// The one rule. `permission`: `None` where membership is enough. `changes`: does it change things? `allows_deleted`: is
    /// it for deleted organizations, too?
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
        /// What is explained is what is decided: allowed if and only if the union of the roles holds it.
        #[test]
        fn a_decision_is_the_union_of_the_roles(
            sets in vec(vec(0..Permission::ALL.len(), 0..6), 0..5),
            wanted in 0..Permission::ALL.len(),
            (is_deleted, is_suspended, is_inactive) in any::<(bool, bool, bool)>(),
        ) {
            let set = |numbers: &Vec<usize>| numbers.iter().map(|number| Permission::ALL[*number]).collect();
            let roles = sets.iter().enumerate().map(|(number, permissions)| role(number, set(permissions)));
            let position = MembershipAccess { is_deleted, is_suspended, is_inactive, roles: roles.collect() };
            let wanted = Permission::ALL[wanted];
            let decision = position.decide(Some(wanted), wanted.changes(), false);
            let is_shut = is_inactive || is_deleted || is_suspended && wanted.changes();
            prop_assert_eq!(decision.is_allowed(), !is_shut && position.held().contains(wanted));
            prop_assert_eq!(decision.granted_by.is_empty(), !position.held().contains(wanted));
        }
    }

    #[test]
    fn a_role_named_like_a_built_in_one_is_not_it() {
        let forged = RoleGrants { key: "owner".into(), ..role(0, PermissionSet::default()) };
        let position = MembershipAccess { roles: vec![forged], ..MembershipAccess::default() };
        assert!(!position.is_owner() && position.held().is_empty());
        assert!(RoleGrants::permissions_of("owner", false, PermissionSet::default()).is_empty());
        assert_eq!(RoleGrants::permissions_of("owner", true, PermissionSet::default()), PermissionSet::all());
    }
}
