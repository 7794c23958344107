//! A proof made by hand.

use std::marker::PhantomData;

use insula_core::base::{
    ids::OrgId,
    permissions::{ActorAccess, AuditOrigin, Authorized, PermissionSet, ProjectsCreate},
};

fn by_hand(org: OrgId) -> Authorized<ProjectsCreate> {
    Authorized {
        org,
        origin: AuditOrigin::SYSTEM,
        facts: ActorAccess { member: None, held: PermissionSet::all(), is_owner: true, is_recent: true },
        permission: PhantomData,
    }
}

fn main() {}
