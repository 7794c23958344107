//! The built-in roles, with their names and permissions. They are defined in code, so a new permission needs no data
//! migration.

use super::{Permission, PermissionSet};

/// A role that every organization has from its creation, and that cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltinRole {
    /// All permissions; at least one active member is an owner.
    Owner,
    /// All permissions, except to delete or transfer the organization; cannot change its owners.
    Admin,
    /// Works on tasks and tracks time.
    Member,
    /// Read-only access.
    Viewer,
}

impl BuiltinRole {
    /// All built-in roles, the most powerful first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];

    /// Stable key, used in the API and in the database.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }

    /// Name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::Member => "Member",
            Self::Viewer => "Viewer",
        }
    }

    /// Description for people.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Owner => "Full access, including deletion and ownership",
            Self::Admin => "Manages members, roles, settings and all work data",
            Self::Member => "Works on tasks and tracks time",
            Self::Viewer => "Read-only access",
        }
    }

    /// The role with this key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.key() == key)
    }

    /// The permissions of the role.
    pub fn permissions(self) -> PermissionSet {
        Permission::ALL.iter().copied().filter(|permission| self.allows(*permission)).collect()
    }

    fn allows(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Owner => true,
            Self::Admin => !matches!(permission, P::OrganizationDelete | P::OrganizationTransfer),
            Self::Member => {
                Self::Viewer.allows(permission)
                    || matches!(
                        permission,
                        P::TasksCreate
                            | P::TasksUpdate
                            | P::TasksDelete
                            | P::TimeEntriesCreate
                            | P::TimeEntriesUpdate
                            | P::TimeEntriesDelete
                            | P::ExportsCreate
                    )
            }
            Self::Viewer => matches!(
                permission,
                P::OrganizationRead
                    | P::MembersRead
                    | P::RolesRead
                    | P::ProjectsRead
                    | P::TasksRead
                    | P::TimeEntriesRead
                    | P::ReportsRead
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_includes_the_next_one() {
        let sets = BuiltinRole::ALL.map(BuiltinRole::permissions);
        for pair in sets.windows(2) {
            assert!(pair[0].contains_all(pair[1]) && pair[0] != pair[1]);
        }
        assert_eq!(sets.map(PermissionSet::len), [34, 32, 14, 7]);
    }

    #[test]
    fn only_admins_and_owners_have_modifiers() {
        for modifier in
            [Permission::TasksManageAll, Permission::TimeEntriesReadAll, Permission::TimeEntriesManageAll]
        {
            assert!(!BuiltinRole::Member.permissions().contains(modifier));
            assert!(BuiltinRole::Admin.permissions().contains(modifier));
        }
    }

    #[test]
    fn each_key_maps_to_its_role() {
        for role in BuiltinRole::ALL {
            assert_eq!(BuiltinRole::from_key(role.key()), Some(role));
        }
        assert_eq!(BuiltinRole::from_key("root"), None);
    }
}
