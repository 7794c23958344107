//! A proof by the function that only the look-up may call.

use insula_core::{
    access::{Authorized, Origin, PermissionSet, ProjectsCreate},
    ids::OrgId,
};

fn by_the_back_door(org: OrgId) -> Authorized<ProjectsCreate> {
    Authorized::checked(org, Origin::SYSTEM, None, PermissionSet::all())
}

fn main() {}
