//! Schemas of roles.

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{ErrorCode, FieldErrors},
        permissions::PermissionSet,
        text,
    },
    tenancy::roles::{NewRole, RoleChanges, RoleKey as Key, RoleWithPermissions},
};
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    http::{Description, Permission, RoleKey, sort_keys},
    problem::Result,
};

crate::texts! {
    /// The name of a role, for display.
    RoleTitle { length: 1..=text::RoleName::MAX, pattern: text::NOT_BLANK_PATTERN, example: "Project lead" }
}

/// A custom role to create.
#[derive(Object)]
pub(super) struct RoleCreate {
    /// Name of the role, for display. It is unique in the organization without regard to case.
    pub(super) name: RoleTitle,
    /// Purpose of the role, for display. It can be absent.
    #[oai(nullable)]
    pub(super) description: Option<Description>,
    /// Permissions that the role includes. You must have each of them.
    #[oai(validator(max_items = 100))]
    pub(super) permissions: Vec<Permission>,
}

/// Changes to a role. Absent fields stay unchanged.
#[derive(Object)]
pub(super) struct RoleUpdate {
    /// Name of the role, for display. It is unique in the organization without regard to case.
    pub(super) name: Option<RoleTitle>,
    /// Purpose of the role, for display.
    pub(super) description: Option<Description>,
}

/// All permissions of a role.
#[derive(Object)]
pub(super) struct RolePermissions {
    /// All permissions that the role is to include. You must have each one that is added.
    #[oai(validator(max_items = 100))]
    pub(super) permissions: Vec<Permission>,
}

/// A named set of permissions.
#[derive(Object, Serialize)]
pub(super) struct Role {
    /// Unique id of the role.
    pub(super) id: Uuid,
    /// Stable key of the role, for programs.
    pub(super) key: RoleKey,
    /// Name of the role, for display.
    pub(super) name: RoleTitle,
    /// Purpose of the role, for display; may be empty.
    pub(super) description: Description,
    /// Whether the role is built-in. Every organization has the built-in roles, and they cannot be changed.
    pub(super) is_builtin: bool,
    /// Permissions that the role includes.
    pub(super) permissions: Vec<Permission>,
    /// Number of members with the role, also suspended ones. Only in lists, because it is not part of the version.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) members_count: Option<u64>,
    /// Version number, increased by every change. It is also the `ETag`.
    pub(super) version: i64,
    /// When the role was created.
    pub(super) created_at: DateTime<Utc>,
    /// When the role was last changed.
    pub(super) updated_at: DateTime<Utc>,
}

sort_keys! {
    pub(super) RoleSort of Key;
    created_at: CreatedAt,
    name: Name,
}

/// The set of permissions with these names. Duplicates count once.
pub(super) fn set(field: &str, names: &[Permission]) -> Result<PermissionSet, insula_core::Error> {
    let mut fields = FieldErrors::default();
    let set = take(&mut fields, field, names);
    fields.into_result()?;
    Ok(set)
}

fn take(fields: &mut FieldErrors, field: &str, names: &[Permission]) -> PermissionSet {
    let known = |(place, Permission(name)): (usize, &Permission)| {
        let known = insula_core::base::permissions::Permission::parse(name);
        if known.is_none() {
            let message = format!("There is no permission “{name}”.");
            fields.add(&format!("{field}[{place}]"), "UNKNOWN_PERMISSION", message);
        }
        known
    };
    names.iter().enumerate().filter_map(known).collect()
}

impl TryFrom<RoleCreate> for NewRole {
    type Error = insula_core::Error;

    fn try_from(draft: RoleCreate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let name = fields.parse("name", text::RoleName::parse(&draft.name.0));
        let description = draft.description.map(|text| text::RoleDescription::parse(&text.0));
        let description = fields.parse_optional("description", description).unwrap_or_default();
        let permissions = take(&mut fields, "permissions", &draft.permissions);
        fields.into_result()?;
        let name = name.ok_or(ErrorCode::ValidationFailed.refuse())?;
        Ok(Self { name, description, permissions })
    }
}

impl TryFrom<RoleUpdate> for RoleChanges {
    type Error = insula_core::Error;

    fn try_from(patch: RoleUpdate) -> Result<Self, Self::Error> {
        let mut fields = FieldErrors::default();
        let name = fields.parse_optional("name", patch.name.map(|name| text::RoleName::parse(&name.0)));
        let description = patch.description.map(|text| text::RoleDescription::parse(&text.0));
        let description = fields.parse_optional("description", description);
        fields.into_result()?;
        Ok(Self { name, description })
    }
}

impl From<RoleWithPermissions> for Role {
    fn from(RoleWithPermissions { role, permissions }: RoleWithPermissions) -> Self {
        Self {
            id: role.id.0,
            key: RoleKey(role.key),
            name: RoleTitle(role.name),
            description: Description(role.description),
            is_builtin: role.is_builtin,
            permissions: permissions.iter().map(|permission| Permission(permission.to_string())).collect(),
            members_count: None,
            version: role.version,
            created_at: role.created_at,
            updated_at: role.updated_at,
        }
    }
}
