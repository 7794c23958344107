//! Who may do what, as types. Pure: it neither looks anything up nor knows a table.
//!
//! A function that needs a permission takes an [`crate::db::OrgTx`] of its marker type, and only an [`Authorized`]
//! begins one; so what nobody checked does not compile.

mod permission;
mod role;

use std::{fmt, marker::PhantomData};

pub use permission::*;
pub use role::BuiltinRole;

use crate::ids::{MemberId, OrgId, SessionId, UserId};

/// A permission as a type, so that a signature can ask for it.
pub trait Grant: Send + Sync + 'static {
    /// The permission asked for; `None`: to be a member is enough.
    const PERMISSION: Option<Permission>;
    /// May it change things?
    const WRITES: bool;
}

/// A permission that may change things: only its transactions can write.
pub trait Write: Grant {}

/// Asks for no permission, only for membership: `GET O/me/permissions`.
#[derive(Debug)]
pub enum Membership {}
impl Grant for Membership {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = false;
}

/// The platform at work in an organization on behalf of nobody's membership: founding it, sealing its log, cleaning up.
/// No handler can ask for it, since no member's proof is of this type.
#[derive(Debug)]
pub enum Platform {}
impl Grant for Platform {
    const PERMISSION: Option<Permission> = None;
    const WRITES: bool = true;
}
impl Write for Platform {}

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
    /// Nobody yet: registration, a failed log-in.
    Anonymous,
    /// The program itself: command line, schedules.
    System,
}

impl Actor {
    /// As the audit log spells it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Anonymous => "anonymous",
            Self::System => "system",
        }
    }

    /// The person, where there is one.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Anonymous | Self::System => None,
        }
    }
}

/// Where a change came from: who, by which session, in which request.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Who acts.
    pub actor: Actor,
    /// By which log-in.
    pub session: Option<SessionId>,
    /// In which request; stands in the answer's `X-Request-Id` too.
    pub request_id: Option<String>,
}

impl Origin {
    /// The program itself.
    pub const SYSTEM: Self = Self { actor: Actor::System, session: None, request_id: None };
}

/// Proof that `origin.actor` may do `P` in `org`.
///
/// Made by `members::authorize`, which looks it up, and by `Tx::enter` for the platform itself.
#[derive(Debug)]
pub struct Authorized<P> {
    org: OrgId,
    origin: Origin,
    member: Option<MemberId>,
    held: PermissionSet,
    permission: PhantomData<fn() -> P>,
}

impl<P: Grant> Authorized<P> {
    /// States that the right was looked up; the callers are counted (`.clippy.toml`).
    pub(crate) fn checked(org: OrgId, origin: Origin, member: Option<MemberId>, held: PermissionSet) -> Self {
        Self { org, origin, member, held, permission: PhantomData }
    }

    /// The organization.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Who acts, and by which request.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The actor's membership; `None` for the platform.
    pub fn member(&self) -> Option<MemberId> {
        self.member
    }

    /// Everything the actor may do in the organization.
    pub fn held(&self) -> PermissionSet {
        self.held
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
