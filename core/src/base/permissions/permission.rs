//! The list of permissions. The enum, its text form, the marker types and their requirements are generated from it.

use std::fmt;

use super::{RequiredPermission, WritePermission};

macro_rules! permissions {
    (@changes write) => { true };
    (@changes sensitive) => { true };
    (@changes $kind:ident) => { false };
    (@writes read) => { false };
    (@writes $kind:ident) => { true };
    (@is_sensitive sensitive) => { true };
    (@is_sensitive $kind:ident) => { false };
    (@write read $name:ident) => {};
    (@write $kind:ident $name:ident) => { impl WritePermission for $name {} };
    ($($kind:ident $name:ident = $text:literal, $description:literal;)+) => {
        /// A permission of a member in an organization.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission { $(#[doc = $description] $name),+ }

        impl Permission {
            /// All permissions, in display order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The permission in the API: `resource:action`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Description for people.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => $description),+ }
            }

            /// Does it allow changes of the organization? Exports do not change it, although every export is recorded.
            pub const fn changes(self) -> bool {
                match self { $(Self::$name => permissions!(@changes $kind)),+ }
            }

            /// The permission with this text form.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|permission| permission.as_str() == text)
            }
        }

        $(
            #[doc = $description]
            #[derive(Debug)]
            pub enum $name {}
            impl RequiredPermission for $name {
                const PERMISSION: Option<Permission> = Some(Permission::$name);
                const WRITES: bool = permissions!(@writes $kind);
                const CHANGES: bool = permissions!(@changes $kind);
                const REQUIRES_RECENT_LOGIN: bool = permissions!(@is_sensitive $kind);
            }
            permissions!(@write $kind $name);
        )+
    };
}

// `sensitive`: it allows changes, and needs a recent login. `export`: it only reads, and each use is recorded.
permissions! {
    read  OrganizationRead     = "organization:read",        "View the organization";
    write OrganizationUpdate   = "organization:update",      "Change the name and description of the organization";
    sensitive OrganizationDelete   = "organization:delete",      "Delete the organization";
    sensitive OrganizationTransfer = "organization:transfer",    "Transfer ownership of the organization";
    read  MembersRead          = "members:read",             "View members";
    write MembersInvite        = "members:invite",           "Invite members";
    write MembersUpdate        = "members:update",           "Suspend and reactivate members";
    write MembersRemove        = "members:remove",           "Remove members";
    read  RolesRead            = "roles:read",               "View roles and their permissions";
    write RolesCreate          = "roles:create",             "Create roles";
    write RolesUpdate          = "roles:update",             "Change roles";
    write RolesDelete          = "roles:delete",             "Delete roles";
    write RolesAssign          = "roles:assign",             "Assign roles to members";
    read  ProjectsRead         = "projects:read",            "View projects";
    write ProjectsCreate       = "projects:create",          "Create projects";
    write ProjectsUpdate       = "projects:update",          "Change projects";
    write ProjectsDelete       = "projects:delete",          "Delete and restore projects";
    read  TasksRead            = "tasks:read",               "View tasks";
    write TasksCreate          = "tasks:create",             "Create tasks";
    write TasksUpdate          = "tasks:update",             "Change one's own tasks";
    write TasksDelete          = "tasks:delete",             "Delete one's own tasks";
    write TasksManageAll       = "tasks:manage_all",         "Change and delete all tasks";
    read  TimeEntriesRead      = "time_entries:read",        "View one's own time entries";
    write TimeEntriesCreate    = "time_entries:create",      "Create one's own time entries";
    write TimeEntriesUpdate    = "time_entries:update",      "Change one's own time entries";
    write TimeEntriesDelete    = "time_entries:delete",      "Delete one's own time entries";
    read  TimeEntriesReadAll   = "time_entries:read_all",    "View all time entries";
    write TimeEntriesManageAll = "time_entries:manage_all",  "Change and delete all time entries";
    write TimeEntriesLock      = "time_entries:lock",        "Lock a period against changes";
    read  ReportsRead          = "reports:read",             "View reports";
    export ExportsCreate       = "exports:create",           "Export tasks and time entries";
    read  AuditRead            = "audit:read",               "View the audit log";
    export AuditExport         = "audit:export",             "Export the audit log";
    write SettingsUpdate       = "settings:update",          "Change the settings";
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
