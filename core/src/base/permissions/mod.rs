//! Permissions as types. This module is pure: it does no lookup and knows no table.
//!
//! A function that needs a permission takes an [`crate::storage::db::OrgTx`] of its marker type, and only an
//! [`Authorized`] begins such a transaction. Code without a permission check therefore does not compile.

mod decision;
mod permission;
mod authorized;
mod builtin_role;

use std::fmt;

pub use authorized::{ActorAccess, Authorized};
pub use builtin_role::BuiltinRole;
pub use decision::{Decision, DecisionReason, MembershipAccess, RoleGrants};
pub use permission::*;

use crate::base::{
    ids::{SessionId, UserId},
    trace_context::TraceContext,
};

/// A permission as a type, so that a signature can require it.
pub trait RequiredPermission: Send + Sync + 'static {
    /// The required permission; `None` where membership is enough.
    const PERMISSION: Option<Permission>;
    /// Does its transaction write? Recording an audit event is also a write.
    const WRITES: bool;
    /// Does it change the organization? If so, a suspended organization refuses it.
    const CHANGES: bool = Self::WRITES;
    /// Does it need a recent login?
    const REQUIRES_RECENT_LOGIN: bool = false;
    /// Is it also allowed in a deleted organization?
    const ALLOWS_DELETED: bool = false;
}

/// A permission whose transactions can write.
pub trait WritePermission: RequiredPermission {}

/// Requires no permission, only a membership: `GET O/me/permissions`.
#[derive(Debug)]
pub enum Membership {}
impl RequiredPermission for Membership {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = false;
}

/// Requires no permission, only a membership, and can write: to leave an organization or to accept a transfer.
#[derive(Debug)]
pub enum OwnMembership {}
impl RequiredPermission for OwnMembership {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = true;
}
impl WritePermission for OwnMembership {}

/// Restores a deleted organization. Members who may delete the organization may restore it.
#[derive(Debug)]
pub enum OrganizationRestore {}
impl RequiredPermission for OrganizationRestore {
    const PERMISSION: Option<Permission> = Some(Permission::OrganizationDelete);
    const WRITES: bool = true;
    const ALLOWS_DELETED: bool = true;
}
impl WritePermission for OrganizationRestore {}

/// Reads invitations. Members who may invite may read them. It changes nothing, so a suspended organization allows it.
#[derive(Debug)]
pub enum InvitationsRead {}
impl RequiredPermission for InvitationsRead {
    const PERMISSION: Option<Permission> = Some(Permission::MembersInvite);
    const WRITES: bool = false;
}

/// The platform itself, when it creates an organization, seals its audit log or purges its data. Handlers cannot
/// require it, because the proof of a member never has this type.
#[derive(Debug)]
pub enum Platform {}
impl RequiredPermission for Platform {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = true;
}
impl WritePermission for Platform {}

/// The platform itself, when it reads the audit log of events that belong to no organization.
#[derive(Debug)]
pub enum PlatformRead {}
impl RequiredPermission for PlatformRead {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = false;
}

/// A set of permissions, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PermissionSet(u64);

// The 65th permission needs a wider set.
const _: () = assert!(Permission::ALL.len() <= 64);

impl PermissionSet {
    /// All permissions.
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Is `permission` in the set?
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// Are all of `others` in the set?
    pub fn contains_all(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// The permissions in this set that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The permissions in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The permissions in the set, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }

    /// The number of permissions.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Is the set empty?
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

/// Who acts, as recorded in every audit event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A user who is logged in.
    User(UserId),
    /// A superuser, who needs no membership in the organization.
    Superuser(UserId),
    /// A client that is not logged in, such as at registration or after a failed login.
    Anonymous,
    /// The program itself, from the command line or at start.
    System,
    /// The program itself, in the background.
    Worker,
}

impl Actor {
    /// The kind in the audit log.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Superuser(_) => "superuser",
            Self::Anonymous => "anonymous",
            Self::System => "system",
            Self::Worker => "worker",
        }
    }

    /// The user; `None` if the actor is not a user.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) | Self::Superuser(user) => Some(user),
            Self::Anonymous | Self::System | Self::Worker => None,
        }
    }
}

/// What is known about a request before its user is known.
#[derive(Clone, Debug, Default)]
pub struct RequestInfo {
    /// The request id, as in the header `X-Request-Id` of the response.
    pub request_id: Option<String>,
    /// The trace that the request is part of.
    pub trace: Option<TraceContext>,
    /// The IP address of the client, at most 45 characters.
    pub ip: Option<String>,
    /// The header `User-Agent`, truncated to 500 characters.
    pub user_agent: Option<String>,
}

impl RequestInfo {
    /// No request: the program itself acts.
    pub const NONE: Self = Self { request_id: None, trace: None, ip: None, user_agent: None };
}

/// The origin of a change: who acts, in which session and in which request.
#[derive(Clone, Debug)]
pub struct AuditOrigin {
    /// Who acts.
    pub actor: Actor,
    /// The e-mail address of the actor at that time.
    pub label: Option<String>,
    /// The session of the actor.
    pub session: Option<SessionId>,
    /// The request; [`RequestInfo::NONE`] if there is none.
    pub inquiry: RequestInfo,
}

impl AuditOrigin {
    /// The program itself, from the command line or at start.
    pub const SYSTEM: Self = Self::of(Actor::System);
    /// The program itself, in the background.
    pub const WORKER: Self = Self::of(Actor::Worker);

    /// Only the actor is known.
    pub const fn of(actor: Actor) -> Self {
        Self { actor, label: None, session: None, inquiry: RequestInfo::NONE }
    }

    /// An unknown client in a request.
    pub fn anonymous(inquiry: RequestInfo) -> Self {
        Self { inquiry, ..Self::of(Actor::Anonymous) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_contains_exactly_its_permissions() {
        let set: PermissionSet = [Permission::ProjectsRead, Permission::SettingsUpdate].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Permission::ProjectsRead, Permission::SettingsUpdate]);
        assert!(PermissionSet::all().contains_all(set) && !set.contains_all(PermissionSet::all()));
        assert_eq!(PermissionSet::all().len(), Permission::ALL.len());
        assert!(set.union(PermissionSet::default()) == set && PermissionSet::default().is_empty());
    }

    #[test]
    fn permissions_are_named_resource_and_action() {
        for permission in Permission::ALL {
            let (resource, action) = permission.as_str().split_once(':').unwrap();
            assert!([resource, action].iter().all(|part| !part.is_empty() && !part.contains(':')));
        }
    }
}
