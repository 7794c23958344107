//! An authorization that no look-up has given.

use std::marker::PhantomData;

use insula_core::base::{
    ids::OrgId,
    permissions::{ActorAccess, AuditOrigin, Authorized, PermissionSet, ProjectsCreate},
};

fn forge(org: OrgId) -> Authorized<ProjectsCreate> {
    Authorized {
        org, //~ E0451: fields `org`, `origin`, `facts` and `permission` of struct `Authorized` are private
        origin: AuditOrigin::SYSTEM,
        facts: ActorAccess { member: None, held: PermissionSet::all(), is_owner: true, is_recent: true },
        permission: PhantomData,
    }
}
