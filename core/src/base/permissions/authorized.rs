//! Proofs of authorization: the access of an actor in an organization, after it was looked up.

use std::{marker::PhantomData, sync::Arc};

use super::{AuditOrigin, PermissionSet, PlatformRead, RequiredPermission, RoleGrants};
use crate::base::ids::{MemberId, OrgId};

/// The access of an actor in an organization.
#[derive(Clone, Debug)]
pub struct ActorAccess {
    /// The membership of the actor; `None` for the platform and for superusers.
    pub member: Option<MemberId>,
    /// The roles of the member, in the order in which they were granted; none for the platform and for superusers.
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
    is_dry_run: bool,
    permission: PhantomData<fn() -> P>,
}

impl<P: RequiredPermission> Authorized<P> {
    /// Creates a proof from a lookup. A test counts the callers (`.clippy.toml`).
    pub(crate) fn from_lookup(org: OrgId, origin: AuditOrigin, facts: ActorAccess) -> Self {
        Self { org, origin, facts, is_dry_run: false, permission: PhantomData }
    }

    /// The proof with which the platform reads its own data, which belongs to no organization.
    pub(crate) fn platform_read(origin: AuditOrigin) -> Authorized<PlatformRead> {
        let facts = ActorAccess::platform();
        Authorized { org: OrgId::PLATFORM, origin, facts, is_dry_run: false, permission: PhantomData }
    }

    /// The same proof, for the next of several transactions of one request.
    pub(crate) fn duplicate(&self) -> Self {
        Self { origin: self.origin.clone(), facts: self.facts.clone(), ..*self }
    }

    /// The proof for a preview, if it is one. It needs no recent login, and its transaction is never committed.
    #[must_use]
    pub fn for_dry_run(self, is_dry_run: bool) -> Self {
        let is_recent = self.facts.is_recent || is_dry_run;
        Self { facts: ActorAccess { is_recent, ..self.facts }, is_dry_run, ..self }
    }

    /// Is it the proof for a preview?
    pub(crate) fn is_dry_run(&self) -> bool {
        self.is_dry_run
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
