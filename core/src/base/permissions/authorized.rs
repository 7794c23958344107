//! Proofs of rights: what was found out about somebody, and that it was looked up.

use std::marker::PhantomData;

use super::{AuditOrigin, PermissionSet, PlatformRead, RequiredPermission};
use crate::base::ids::{MemberId, OrgId};

/// What is known about the actor in an organization.
#[derive(Clone, Copy, Debug)]
pub struct ActorAccess {
    /// His membership; `None` for the platform and its operators.
    pub member: Option<MemberId>,
    /// The permissions of the actor there.
    pub held: PermissionSet,
    /// Is the actor an owner, or treated as one?
    pub is_owner: bool,
    /// Did the actor authenticate recently?
    pub is_recent: bool,
}

impl ActorAccess {
    /// The platform itself: it may do everything, and is nobody.
    pub(crate) fn platform() -> Self {
        Self { member: None, held: PermissionSet::all(), is_owner: true, is_recent: true }
    }
}

/// Proof that `origin.actor` may do `P` in `org`.
///
/// Made by `tenancy::authorization`, which looks it up, and by `Tx::enter` for the platform itself.
#[derive(Debug)]
pub struct Authorized<P> {
    org: OrgId,
    origin: AuditOrigin,
    facts: ActorAccess,
    permission: PhantomData<fn() -> P>,
}

impl<P: RequiredPermission> Authorized<P> {
    /// States that the right was looked up; the callers are counted (`.clippy.toml`).
    pub(crate) fn from_lookup(org: OrgId, origin: AuditOrigin, facts: ActorAccess) -> Self {
        Self { org, origin, facts, permission: PhantomData }
    }

    /// The platform's right to look at what is its own, and no tenant's.
    pub(crate) fn platform_read(origin: AuditOrigin) -> Authorized<PlatformRead> {
        Authorized { org: OrgId::PLATFORM, origin, facts: ActorAccess::platform(), permission: PhantomData }
    }

    /// The same proof, for the next of several transactions of one request.
    pub(crate) fn duplicate(&self) -> Self {
        Self { org: self.org, origin: self.origin.clone(), facts: self.facts, permission: PhantomData }
    }

    /// The organization.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Who acts, and by which request.
    pub fn origin(&self) -> &AuditOrigin {
        &self.origin
    }

    /// What is known about the actor.
    pub fn facts(&self) -> &ActorAccess {
        &self.facts
    }
}
