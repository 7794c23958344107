//! Who may do what, as types. Pure: it neither looks anything up nor knows a table.
//!
//! A function that needs a permission takes an [`crate::storage::db::OrgTx`] of its marker type, and only an [`Authorized`]
//! begins one; so what nobody checked does not compile.

mod decision;
mod permission;
mod authorized;
mod builtin_role;

use std::fmt;

pub use authorized::{ActorAccess, Authorized};
pub use builtin_role::BuiltinRole;
pub use decision::{Decision, DecisionReason, MembershipAccess, RoleGrants};
pub use permission::*;

use crate::base::ids::{SessionId, UserId};

/// A permission as a type, so that a signature can ask for it.
pub trait RequiredPermission: Send + Sync + 'static {
    /// The permission asked for; `None`: to be a member is enough.
    const PERMISSION: Option<Permission>;
    /// Does its transaction write? What is recorded in the audit log counts, too.
    const WRITES: bool;
    /// Does it change the organization? Then a suspended organization refuses it.
    const CHANGES: bool = Self::WRITES;
    /// Does it need a log-in of a short while ago?
    const REQUIRES_RECENT_LOGIN: bool = false;
    /// Is it for organizations that are deleted, too?
    const ALLOWS_DELETED: bool = false;
}

/// A permission that may change things: only its transactions can write.
pub trait WritePermission: RequiredPermission {}

/// Asks for no permission, only for membership: `GET O/me/permissions`.
#[derive(Debug)]
pub enum Membership {}
impl RequiredPermission for Membership {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = false;
}

/// Asks for no permission, only for membership, and may change things: leaving, taking an organization over.
#[derive(Debug)]
pub enum OwnMembership {}
impl RequiredPermission for OwnMembership {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = true;
}
impl WritePermission for OwnMembership {}

/// Restores a deleted organization; for those who may delete it.
#[derive(Debug)]
pub enum OrganizationRestore {}
impl RequiredPermission for OrganizationRestore {
    const PERMISSION: Option<Permission> = Some(Permission::OrganizationDelete);
    const WRITES: bool = true;
    const ALLOWS_DELETED: bool = true;
}
impl WritePermission for OrganizationRestore {}

/// Reads invitations: for those who may invite. It changes nothing, so a suspended organization allows it.
#[derive(Debug)]
pub enum InvitationsRead {}
impl RequiredPermission for InvitationsRead {
    const PERMISSION: Option<Permission> = Some(Permission::MembersInvite);
    const WRITES: bool = false;
}

/// The platform at work in an organization on behalf of nobody's membership: founding it, sealing its log, cleaning up.
/// No handler can ask for it, since no member's proof is of this type.
#[derive(Debug)]
pub enum Platform {}
impl RequiredPermission for Platform {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = true;
}
impl WritePermission for Platform {}

/// The platform looking at what is its own: the log of what belongs to no organization.
#[derive(Debug)]
pub enum PlatformRead {}
impl RequiredPermission for PlatformRead {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = false;
}

/// A set of permissions; `Copy`, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PermissionSet(u64);

// One bit each: the 65th permission needs a wider set.
const _: () = assert!(Permission::ALL.len() <= 64);

impl PermissionSet {
    /// Every permission there is.
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Is `permission` in the set?
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// Is every one of `others` in the set?
    pub fn contains_all(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What either set holds.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The permissions in the set, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Is there none?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |set, permission| set | 1 << permission as u8))
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

/// Who acts. Stands in every audit event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person, signed in.
    User(UserId),
    /// A superuser, in an organization of which they need not be a member.
    Superuser(UserId),
    /// Nobody yet: registration, a failed log-in.
    Anonymous,
    /// The program itself, by the command line or at its start.
    System,
    /// The program itself, in the background.
    Worker,
}

impl Actor {
    /// As the audit log spells it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Superuser(_) => "superuser",
            Self::Anonymous => "anonymous",
            Self::System => "system",
            Self::Worker => "worker",
        }
    }

    /// The person, where there is one.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) | Self::Superuser(user) => Some(user),
            Self::Anonymous | Self::System | Self::Worker => None,
        }
    }
}

/// A request: what is known of it before anybody looked who asks.
#[derive(Clone, Debug, Default)]
pub struct RequestInfo {
    /// Its name; stands in the answer's `X-Request-Id` too.
    pub request_id: Option<String>,
    /// The trace it is part of: 32 hexadecimal digits (W3C Trace Context).
    pub trace_id: Option<String>,
    /// The address it came from: at most 45 characters.
    pub ip: Option<String>,
    /// Its `User-Agent`, cut to 500 characters.
    pub user_agent: Option<String>,
}

impl RequestInfo {
    /// None: the program itself.
    pub const NONE: Self = Self { request_id: None, trace_id: None, ip: None, user_agent: None };
}

/// Where a change came from: who, by which session, in which request.
#[derive(Clone, Debug)]
pub struct AuditOrigin {
    /// Who acts.
    pub actor: Actor,
    /// Name of the actor at that time: their e-mail address.
    pub label: Option<String>,
    /// By which log-in.
    pub session: Option<SessionId>,
    /// In which request.
    pub inquiry: RequestInfo,
}

impl AuditOrigin {
    /// The program itself, by the command line or at its start.
    pub const SYSTEM: Self = Self::of(Actor::System);
    /// The program itself, in the background.
    pub const WORKER: Self = Self::of(Actor::Worker);

    /// Nothing is known but who acts.
    pub const fn of(actor: Actor) -> Self {
        Self { actor, label: None, session: None, inquiry: RequestInfo::NONE }
    }

    /// In a request, by nobody who is known.
    pub fn anonymous(inquiry: RequestInfo) -> Self {
        Self { inquiry, ..Self::of(Actor::Anonymous) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let set: PermissionSet = [Permission::ProjectsRead, Permission::SettingsUpdate].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Permission::ProjectsRead, Permission::SettingsUpdate]);
        assert!(PermissionSet::all().contains_all(set) && !set.contains_all(PermissionSet::all()));
        assert_eq!(PermissionSet::all().len(), Permission::ALL.len());
        assert!(set.union(PermissionSet::default()) == set && PermissionSet::default().is_empty());
    }

    #[test]
    fn permissions_are_spelled_resource_and_action() {
        for permission in Permission::ALL {
            let (resource, action) = permission.as_str().split_once(':').unwrap();
            assert!([resource, action].iter().all(|part| !part.is_empty() && !part.contains(':')));
        }
    }
}
