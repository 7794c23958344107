//! The one list of permissions: the enum, its spelling, its marker types and what they need all come from it.

use std::fmt;

use super::{RequiredPermission, WritePermission};

macro_rules! permissions {
    (@changes write) => { true };
    (@changes dear) => { true };
    (@changes $kind:ident) => { false };
    (@writes read) => { false };
    (@writes $kind:ident) => { true };
    (@is_dear dear) => { true };
    (@is_dear $kind:ident) => { false };
    (@write read $name:ident) => {};
    (@write $kind:ident $name:ident) => { impl WritePermission for $name {} };
    ($($kind:ident $name:ident = $text:literal, $about:literal;)+) => {
        /// One thing a member may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission { $(#[doc = $about] $name),+ }

        impl Permission {
            /// Every permission, in the order they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As the API spells it: `resource:action`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// What it allows, for people.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about),+ }
            }

            /// Does it change the organization? To export does not, although every export is recorded.
            pub const fn changes(self) -> bool {
                match self { $(Self::$name => permissions!(@changes $kind)),+ }
            }

            /// The permission that is spelled so.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|permission| permission.as_str() == text)
            }
        }

        $(
            #[doc = $about]
            #[derive(Debug)]
            pub enum $name {}
            impl RequiredPermission for $name {
                const PERMISSION: Option<Permission> = Some(Permission::$name);
                const WRITES: bool = permissions!(@writes $kind);
                const CHANGES: bool = permissions!(@changes $kind);
                const NEEDS_RECENT: bool = permissions!(@is_dear $kind);
            }
            permissions!(@write $kind $name);
        )+
    };
}

// `dear`: it changes things, and needs a log-in of a short while ago. `export`: it reads, and is recorded.
permissions! {
    read  OrganizationRead     = "organization:read",        "See the organization";
    write OrganizationUpdate   = "organization:update",      "Rename the organization and describe it";
    dear  OrganizationDelete   = "organization:delete",      "Delete the organization";
    dear  OrganizationTransfer = "organization:transfer",    "Hand the organization to another owner";
    read  MembersRead          = "members:read",             "See who belongs to the organization";
    write MembersInvite        = "members:invite",           "Invite people";
    write MembersUpdate        = "members:update",           "Suspend members and bring them back";
    write MembersRemove        = "members:remove",           "Remove members";
    read  RolesRead            = "roles:read",               "See the roles and what they allow";
    write RolesCreate          = "roles:create",             "Add roles";
    write RolesUpdate          = "roles:update",             "Change what roles allow";
    write RolesDelete          = "roles:delete",             "Delete roles";
    write RolesAssign          = "roles:assign",             "Give roles to members";
    read  ProjectsRead         = "projects:read",            "See the projects";
    write ProjectsCreate       = "projects:create",          "Add projects";
    write ProjectsUpdate       = "projects:update",          "Change projects";
    write ProjectsDelete       = "projects:delete",          "Delete projects and restore them";
    read  TasksRead            = "tasks:read",               "See the tasks";
    write TasksCreate          = "tasks:create",             "Add tasks";
    write TasksUpdate          = "tasks:update",             "Change one's own tasks";
    write TasksDelete          = "tasks:delete",             "Delete one's own tasks";
    write TasksManageAll       = "tasks:manage_all",         "Change and delete everybody's tasks";
    read  TimeEntriesRead      = "time_entries:read",        "See one's own time entries";
    write TimeEntriesCreate    = "time_entries:create",      "Track one's own time";
    write TimeEntriesUpdate    = "time_entries:update",      "Change one's own time entries";
    write TimeEntriesDelete    = "time_entries:delete",      "Delete one's own time entries";
    read  TimeEntriesReadAll   = "time_entries:read_all",    "See everybody's time entries";
    write TimeEntriesManageAll = "time_entries:manage_all",  "Change and delete everybody's time entries";
    write TimeEntriesLock      = "time_entries:lock",        "Lock a period against changes";
    read  ReportsRead          = "reports:read",             "See reports";
    export ExportsCreate       = "exports:create",           "Export tasks and time entries";
    read  AuditRead            = "audit:read",               "See the audit log";
    export AuditExport         = "audit:export",             "Export the audit log";
    write SettingsUpdate       = "settings:update",          "Change the settings";
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
