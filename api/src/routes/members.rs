//! `/organizations/{org}/me`: what the caller may do in an organization.

use std::sync::Arc;

use insula_core::{access::Membership, members};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::Tag;
use crate::{
    problem::Result,
    state::State,
    tenant,
    wire::{Name, Reply, RoleKey},
};

pub struct Members(pub Arc<State>);

/// A role that a member holds.
#[derive(Object, Serialize)]
pub(super) struct RoleHeld {
    /// The role.
    id: Uuid,
    /// Its stable name, for programs.
    key: RoleKey,
    /// Its name, for people.
    name: Name,
}

crate::texts! {
    /// `resource:action`.
    Permission { length: 3..=50, pattern: "^[a-z_]+:[a-z_]+$", example: "projects:read" }
    /// A few words, for people.
    Description { length: 0..=255, example: "See the projects" }
}

/// A permission that a member holds.
#[derive(Object, Serialize)]
struct PermissionHeld {
    /// The permission: `resource:action`.
    permission: Permission,
    /// What it allows, for people.
    description: Description,
    /// The keys of the roles it comes from.
    roles: Vec<RoleKey>,
}

/// What a member may do in an organization, and why.
#[derive(Object, Serialize)]
struct Effective {
    /// The membership.
    member_id: Uuid,
    /// The roles he holds.
    roles: Vec<RoleHeld>,
    /// What they allow together.
    permissions: Vec<PermissionHeld>,
}

#[OpenApi(tag = "Tag::Members")]
impl Members {
    /// Look at what I may do
    #[oai(path = "/organizations/:org/me/permissions", method = "get", operation_id = "getMyPermissions")]
    async fn my_permissions(&self, org: tenant::Path<Membership>) -> Result<Reply<Effective>> {
        let tx = self.0.db.begin(org.0).await?;
        Ok(Reply(members::my_permissions(&tx).await?.into()))
    }
}

impl From<members::Effective> for Effective {
    fn from(effective: members::Effective) -> Self {
        let permissions = effective.permissions().into_iter().map(|(permission, roles)| PermissionHeld {
            permission: Permission(permission.to_string()),
            description: Description(permission.about().to_owned()),
            roles: roles.into_iter().map(|key| RoleKey(key.to_owned())).collect(),
        });
        let permissions = permissions.collect();
        let roles = effective.roles.into_iter().map(RoleHeld::from).collect();
        Self { member_id: effective.member.0, roles, permissions }
    }
}

impl From<members::RoleHeld> for RoleHeld {
    fn from(role: members::RoleHeld) -> Self {
        Self { id: role.id.0, key: RoleKey(role.key), name: Name(role.name) }
    }
}
