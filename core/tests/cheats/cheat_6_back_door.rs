//! A proof by the function that only the look-up may call.

use insula_core::base::{permissions::{Authorized, Facts, Origin, ProjectsCreate}, ids::OrgId};

fn by_the_back_door(org: OrgId, facts: Facts) -> Authorized<ProjectsCreate> {
    Authorized::checked(org, Origin::SYSTEM, facts)
}

fn main() {}
