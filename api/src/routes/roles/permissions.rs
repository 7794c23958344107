//! `/permissions` and `/organizations/{org}/authz`: all permissions, and why a member has or lacks one.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use insula_core::{
    base::{
        error::FieldErrors,
        ids::MemberId,
        permissions::{self, DecisionReason, Membership},
    },
    tenancy::authorization,
};
use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use crate::routes::{Routes, Tag};
use crate::{
    BASE,
    auth::{extractors::SignedIn, tenant},
    body::StrictJson,
    http::{Description, JsonResponse, Permission, RoleKey},
    operations::Operations,
    problem::{Result, WithConflict},
    state::AppState,
};

pub struct PermissionsApi(pub Arc<AppState>);

crate::texts! {
    /// The `operationId` of an operation of this document.
    OperationId { length: 1..=100, example: "createProject" }
}

/// A permission that a role can include.
#[derive(Object, Serialize)]
struct PermissionInfo {
    /// The permission, as `resource:action`.
    permission: Permission,
    /// What the permission allows, for display.
    description: Description,
    /// Whether the permission allows changes. Otherwise it only allows reading.
    writes: bool,
    /// Operations that need the permission, by `operationId`. Empty if it is only checked
    /// within other operations.
    operations: Vec<OperationId>,
}

/// All permissions that a role can include.
#[derive(Object, Serialize)]
struct PermissionList {
    /// The permissions, in a fixed order.
    data: Vec<PermissionInfo>,
}

/// A question whether a member has a permission.
#[derive(Object)]
struct PermissionQuery {
    /// The permission to ask about.
    permission: Permission,
    /// Id of the member to ask about. If it is absent, you ask about yourself. Needs
    /// `members:read` for other members.
    member_id: Option<Uuid>,
}

/// Whether a member has a permission, and why.
#[derive(Object, Serialize)]
struct Explanation {
    /// Whether the member may do it.
    allowed: bool,
    /// The permission that was asked about.
    permission: Permission,
    /// Reason of the decision.
    reason: CheckReason,
    /// Keys of the member's roles that include the permission.
    granted_by: Vec<RoleKey>,
    /// Keys of all roles of the member.
    roles_held: Vec<RoleKey>,
    /// Keys of all roles of the organization that include the permission.
    roles_that_grant: Vec<RoleKey>,
}

/// Why a member may or may not do something.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[oai(rename = "DecisionReason")]
enum CheckReason {
    /// A role of the member includes the permission.
    Granted,
    /// No role of the member includes the permission.
    PermissionMissing,
    /// The organization is suspended and read-only.
    OrganizationSuspended,
    /// The organization is deleted.
    OrganizationDeleted,
    /// The member is suspended or was removed.
    MembershipInactive,
}

/// The operations that need each permission.
static NEEDED: LazyLock<BTreeMap<String, Vec<String>>> =
    LazyLock::new(|| Operations::new::<Routes>(BASE).map(|all| all.by_permission()).unwrap_or_default());

#[OpenApi(tag = "Tag::Roles")]
impl PermissionsApi {
    /// List permissions
    ///
    /// Returns all permissions with a description and the operations that need each.
    #[oai(path = "/permissions", method = "get", operation_id = "listPermissions")]
    async fn list(&self, _me: SignedIn) -> JsonResponse<PermissionList> {
        let data = permissions::Permission::ALL.iter().map(|permission| PermissionInfo {
            permission: Permission(permission.to_string()),
            description: Description(permission.description().to_owned()),
            writes: permission.changes(),
            operations: NEEDED
                .get(permission.as_str())
                .into_iter()
                .flatten()
                .cloned()
                .map(OperationId)
                .collect(),
        });
        JsonResponse(PermissionList { data: data.collect() })
    }

    /// Check a permission
    ///
    /// Returns whether a member has a permission in the organization, with the same decision as for
    /// a request of that member.
    #[oai(path = "/organizations/:org/authz/check", method = "post", operation_id = "checkPermission")]
    async fn check(
        &self,
        org: tenant::Path<Membership>,
        question: StrictJson<PermissionQuery>,
    ) -> Result<JsonResponse<Explanation>, WithConflict> {
        self.answer(org, question.value).await
    }

    /// Explain a permission
    ///
    /// Returns why a member has or lacks a permission in the organization, with the same decision as for a
    /// request of that member.
    #[oai(path = "/organizations/:org/authz/explain", method = "post", operation_id = "explainPermission")]
    async fn explain(
        &self,
        org: tenant::Path<Membership>,
        question: StrictJson<PermissionQuery>,
    ) -> Result<JsonResponse<Explanation>, WithConflict> {
        self.answer(org, question.value).await
    }
}

impl PermissionsApi {
    async fn answer(
        &self,
        org: tenant::Path<Membership>,
        question: PermissionQuery,
    ) -> Result<JsonResponse<Explanation>, WithConflict> {
        let mut fields = FieldErrors::default();
        let asked = permissions::Permission::parse(&question.permission.0);
        if asked.is_none() {
            let message = "There is no such permission.";
            fields.add("permission", "UNKNOWN_PERMISSION", message);
        }
        fields.into_result()?;
        let asked = asked.ok_or(insula_core::base::error::ErrorCode::ValidationFailed.refuse())?;
        let tx = self.0.db.begin(org.0).await?;
        Ok(JsonResponse(authorization::explain(&tx, asked, question.member_id.map(MemberId)).await?.into()))
    }
}

impl From<DecisionReason> for CheckReason {
    fn from(reason: DecisionReason) -> Self {
        match reason {
            DecisionReason::Granted => Self::Granted,
            DecisionReason::PermissionMissing => Self::PermissionMissing,
            DecisionReason::OrganizationSuspended => Self::OrganizationSuspended,
            DecisionReason::OrganizationDeleted => Self::OrganizationDeleted,
            DecisionReason::MembershipInactive => Self::MembershipInactive,
        }
    }
}

impl From<authorization::Explanation> for Explanation {
    fn from(explanation: authorization::Explanation) -> Self {
        let keys = |keys: Vec<String>| keys.into_iter().map(RoleKey).collect();
        Self {
            allowed: explanation.decision.is_allowed(),
            permission: Permission(explanation.permission.to_string()),
            reason: explanation.decision.reason.into(),
            granted_by: keys(explanation.decision.granted_by),
            roles_held: keys(explanation.roles_held),
            roles_that_grant: keys(explanation.roles_that_grant),
        }
    }
}
