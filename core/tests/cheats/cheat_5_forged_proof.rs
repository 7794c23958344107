//! A proof made by hand.

use std::marker::PhantomData;

use insula_core::{
    access::{Authorized, Origin, PermissionSet, ProjectsCreate},
    ids::OrgId,
};

fn by_hand(org: OrgId) -> Authorized<ProjectsCreate> {
    Authorized {
        org,
        origin: Origin::SYSTEM,
        member: None,
        held: PermissionSet::all(),
        permission: PhantomData,
    }
}

fn main() {}
