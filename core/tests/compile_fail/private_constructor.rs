//! An authorization from the constructor that only the look-up may call.

use insula_core::base::{
    ids::OrgId,
    permissions::{ActorAccess, AuditOrigin, Authorized, ProjectsCreate},
};

fn construct(org: OrgId, facts: ActorAccess) -> Authorized<ProjectsCreate> {
    Authorized::from_lookup(org, AuditOrigin::SYSTEM, facts) //~ E0624: associated function `from_lookup` is private
}
