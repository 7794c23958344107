//! An authorization that no look-up has given.

use std::{marker::PhantomData, sync::Arc};

use insula_core::base::{
    ids::OrgId,
    permissions::{ActorAccess, AuditOrigin, Authorized, PermissionSet, ProjectsCreate},
};

fn forge(org: OrgId) -> Authorized<ProjectsCreate> {
    Authorized {
        org, //~ E0451: of struct `Authorized` are private
        origin: AuditOrigin::SYSTEM,
        facts: ActorAccess {
            member: None,
            roles: Arc::default(),
            held: PermissionSet::all(),
            is_owner: true,
            is_recent: true,
        },
        is_dry_run: false,
        permission: PhantomData,
    }
}
