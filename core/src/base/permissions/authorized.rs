//! Proofs of authorization: the access of an actor in an organization, after it was looked up.

use std::{marker::PhantomData, sync::Arc};

use super::{AuditOrigin, PermissionSet, PlatformRead, RequiredPermission, RoleGrants};
use crate::base::ids::{MemberId, OrgId};

/// The access of an actor in an organization.
#[derive(Clone, Debug)]
pub struct ActorAccess {
    /// The membership of the actor; `None` for the platform and for superusers.
    pub member: Option<MemberId>,
    /// The roles of the member, the oldest first; none for the platform and for superusers.
    pub roles: Arc<[RoleGrants]>,
    /// The permissions of the actor in the organization.
    pub held: PermissionSet,
    /// Is the actor an owner, or treated as one?
    pub is_owner: bool,
    /// Did the actor authenticate recently?
    pub is_recent: bool,
}

impl ActorAccess {
    /// The access of the platform itself: all permissions, without a membership.
    pub(crate) fn platform() -> Self {
        let roles = Arc::default();
        Self { member: None, roles, held: PermissionSet::all(), is_owner: true, is_recent: true }
    }
}

/// Proof that `origin.actor` has the permission `P` in `org`.
///
/// `tenancy::authorization` creates it after a lookup, and `GlobalTx::enter_org` creates it for the platform itself.
#[derive(Debug)]
pub struct Authorized<P> {
    org: OrgId,
    origin: AuditOrigin,
    facts: ActorAccess,
    permission: PhantomData<fn() -> P>,
}

impl<P: RequiredPermission> Authorized<P> {
    /// Creates a proof from a lookup. A test counts the callers (`.clippy.toml`).
    pub(crate) fn from_lookup(org: OrgId, origin: AuditOrigin, facts: ActorAccess) -> Self {
        Self { org, origin, facts, permission: PhantomData }
    }

    /// The proof with which the platform reads its own data, which belongs to no organization.
    pub(crate) fn platform_read(origin: AuditOrigin) -> Authorized<PlatformRead> {
        Authorized { org: OrgId::PLATFORM, origin, facts: ActorAccess::platform(), permission: PhantomData }
    }

    /// The same proof, for the next of several transactions of one request.
    pub(crate) fn duplicate(&self) -> Self {
        let (origin, facts) = (self.origin.clone(), self.facts.clone());
        Self { org: self.org, origin, facts, permission: PhantomData }
    }

    /// The organization.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Who acts, and in which request.
    pub fn origin(&self) -> &AuditOrigin {
        &self.origin
    }

    /// The access of the actor.
    pub fn facts(&self) -> &ActorAccess {
        &self.facts
    }
}
