//! The built-in roles: their names and what they allow. Sets come from code, so a new permission needs no data migration.

use super::{Permission, PermissionSet};

/// A role that every organization has from its foundation, and nobody can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltinRole {
    /// Everything; at least one active member holds it.
    Owner,
    /// Everything but to delete or hand over the organization, and but to touch its owners.
    Admin,
    /// The daily work.
    Member,
    /// To look, not to touch.
    Viewer,
}

impl BuiltinRole {
    /// From the most to the least powerful.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];

    /// Its stable key: what the API calls it and the database stores.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::Member => "Member",
            Self::Viewer => "Viewer",
        }
    }

    /// What it is for, for people.
    pub const fn about(self) -> &'static str {
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

    /// What it allows.
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
    fn each_role_holds_what_the_next_one_holds_and_more() {
        let sets = BuiltinRole::ALL.map(BuiltinRole::permissions);
        for pair in sets.windows(2) {
            assert!(pair[0].contains_all(pair[1]) && pair[0] != pair[1]);
        }
        assert_eq!(sets.map(PermissionSet::len), [34, 32, 14, 7]);
    }

    #[test]
    fn modifiers_are_for_admins() {
        for modifier in
            [Permission::TasksManageAll, Permission::TimeEntriesReadAll, Permission::TimeEntriesManageAll]
        {
            assert!(!BuiltinRole::Member.permissions().contains(modifier));
            assert!(BuiltinRole::Admin.permissions().contains(modifier));
        }
    }

    #[test]
    fn keys_lead_back_to_their_role() {
        for role in BuiltinRole::ALL {
            assert_eq!(BuiltinRole::from_key(role.key()), Some(role));
        }
        assert_eq!(BuiltinRole::from_key("root"), None);
    }
}
