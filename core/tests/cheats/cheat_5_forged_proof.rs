//! A proof made by hand.

use std::marker::PhantomData;

use insula_core::base::{permissions::{Authorized, Facts, Origin, PermissionSet, ProjectsCreate}, ids::OrgId};

fn by_hand(org: OrgId) -> Authorized<ProjectsCreate> {
    Authorized {
        org,
        origin: Origin::SYSTEM,
        facts: Facts { member: None, held: PermissionSet::all(), is_owner: true, is_recent: true },
        permission: PhantomData,
    }
}

fn main() {}
