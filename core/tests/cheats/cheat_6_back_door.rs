//! A proof by the function that only the look-up may call.

use insula_core::base::{
    ids::OrgId,
    permissions::{ActorAccess, AuditOrigin, Authorized, ProjectsCreate},
};

fn by_the_back_door(org: OrgId, facts: ActorAccess) -> Authorized<ProjectsCreate> {
    Authorized::from_lookup(org, AuditOrigin::SYSTEM, facts)
}

fn main() {}
