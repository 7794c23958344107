//! Schemas of members.

use chrono::{DateTime, Utc};
use insula_core::{
    base::permissions::RoleGrants,
    tenancy::{
        members::{self, MemberChanges, MemberKey, MembershipState},
        roles::RoleRef,
    },
};
use poem_openapi::{Enum, Object};
use serde::Serialize;
use uuid::Uuid;

use crate::http::{
    Description, DisplayName, Email, MemberVersion, Name, Permission, RoleKey, RoleName, sort_keys,
};

/// A role of a member, in short.
#[derive(Object, Serialize)]
pub(in crate::routes) struct RoleSummary {
    /// Unique id of the role.
    pub(in crate::routes) id: Uuid,
    /// Stable key of the role, for programs.
    pub(in crate::routes) key: RoleKey,
    /// Name of the role, for display.
    pub(in crate::routes) name: Name,
}

/// The user of a membership.
#[derive(Object, Serialize)]
pub(super) struct UserSummary {
    /// Unique id of the user.
    pub(super) id: Uuid,
    /// E-mail address of the user.
    pub(super) email: Email,
    /// Name of the user, as shown to others.
    pub(super) display_name: DisplayName,
}

/// A user as a member of one organization.
#[derive(Object, Serialize)]
pub(super) struct Member {
    /// Unique id of the member. It differs from the id of the user.
    pub(super) id: Uuid,
    /// The user who is the member.
    pub(super) user: UserSummary,
    /// Roles of the member in the organization.
    pub(super) roles: Vec<RoleSummary>,
    /// Status of the member.
    pub(super) status: MemberStatus,
    /// When the member joined the organization.
    pub(super) joined_at: DateTime<Utc>,
    /// When the member was removed or left; `null` for other members.
    #[oai(nullable)]
    pub(super) removed_at: Option<DateTime<Utc>>,
    /// The version of the member and their user, which changes with either. In quotes, it is the `ETag`.
    pub(super) version: MemberVersion,
}

/// Status of a member.
#[derive(Clone, Copy, Debug, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(super) enum MemberStatus {
    /// The member can do what their roles allow.
    Active,
    /// The member cannot do anything until they are reactivated.
    Suspended,
    /// The member was removed from the organization or left it.
    Removed,
}

/// Status that a member can be given.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum NewMemberStatus {
    /// The member can do what their roles allow.
    Active,
    /// The member cannot do anything until they are reactivated.
    Suspended,
}

/// Changes to a member. Absent fields stay unchanged.
#[derive(Object)]
pub(super) struct MemberUpdate {
    /// New status: `suspended` suspends the member, `active` reactivates them.
    pub(super) status: Option<NewMemberStatus>,
    /// All roles of the member, by keys or ids; replaces the current roles. Needs `roles:assign`.
    #[oai(validator(max_items = 50))]
    pub(super) roles: Option<Vec<RoleName>>,
}

sort_keys! {
    pub(super) MemberSort of MemberKey;
    joined_at: JoinedAt,
}

/// A permission of a member, and where it comes from.
#[derive(Object, Serialize)]
pub(super) struct GrantedPermission {
    /// The permission, as `resource:action`.
    pub(super) permission: Permission,
    /// What the permission allows, for display.
    pub(super) description: Description,
    /// Keys of the member's roles that include the permission.
    pub(super) roles: Vec<RoleKey>,
}

/// All permissions of a member in an organization, and the roles that they come from.
#[derive(Object, Serialize)]
pub(super) struct EffectivePermissions {
    /// Id of the member.
    pub(super) member_id: Uuid,
    /// Roles of the member.
    pub(super) roles: Vec<RoleSummary>,
    /// All permissions that the roles include together.
    pub(super) permissions: Vec<GrantedPermission>,
}

impl From<MemberStatus> for MembershipState {
    fn from(status: MemberStatus) -> Self {
        match status {
            MemberStatus::Active => Self::Active,
            MemberStatus::Suspended => Self::Suspended,
            MemberStatus::Removed => Self::Removed,
        }
    }
}

impl From<MemberUpdate> for MemberChanges {
    fn from(patch: MemberUpdate) -> Self {
        let roles = patch.roles.map(|roles| roles.iter().map(|role| RoleRef::parse(&role.0)).collect());
        let is_suspended = patch.status.map(|status| matches!(status, NewMemberStatus::Suspended));
        Self { is_suspended, roles }
    }
}

impl From<members::MemberDetails> for Member {
    fn from(listed: members::MemberDetails) -> Self {
        let members::MemberDetails { member, user, roles } = listed;
        let status = match () {
            () if member.status == MembershipState::Active.as_str() => MemberStatus::Active,
            () if member.status == MembershipState::Suspended.as_str() => MemberStatus::Suspended,
            () => MemberStatus::Removed,
        };
        let display_name = DisplayName(user.display_name());
        Self {
            id: member.id.0,
            user: UserSummary { id: user.id.0, email: Email(user.email), display_name },
            roles: roles.into_iter().map(RoleSummary::from).collect(),
            status,
            joined_at: member.joined_at,
            removed_at: member.removed_at,
            version: MemberVersion(format!("{}.{}", member.version, user.version)),
        }
    }
}

impl From<members::MemberPermissions> for EffectivePermissions {
    fn from(effective: members::MemberPermissions) -> Self {
        let permissions = effective.permissions().into_iter().map(|(permission, roles)| GrantedPermission {
            permission: Permission(permission.to_string()),
            description: Description(permission.description().to_owned()),
            roles: roles.into_iter().map(|key| RoleKey(key.to_owned())).collect(),
        });
        let permissions = permissions.collect();
        let roles = effective.roles.iter().cloned().map(RoleSummary::from).collect();
        Self { member_id: effective.member.0, roles, permissions }
    }
}

impl From<RoleGrants> for RoleSummary {
    fn from(role: RoleGrants) -> Self {
        Self { id: role.id.0, key: RoleKey(role.key), name: Name(role.name) }
    }
}

impl From<members::RoleInfo> for RoleSummary {
    fn from(role: members::RoleInfo) -> Self {
        Self { id: role.id.0, key: RoleKey(role.key), name: Name(role.name) }
    }
}
