//! `/permissions` and `/organizations/{org}/authz`: what can be allowed, and why somebody may or may not do something.

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
    state::State,
};

pub struct PermissionsApi(pub Arc<State>);

crate::texts! {
    /// Names an operation of this document.
    OperationId { length: 1..=100, example: "createProject" }
}

/// Something that a role can allow.
#[derive(Object, Serialize)]
struct PermissionInfo {
    /// Its name: `resource:action`.
    permission: Permission,
    /// What it allows, for people.
    description: Description,
    /// Does it allow to change anything?
    writes: bool,
    /// The operations that need it, by their `operationId`. Empty: it is asked for inside of others.
    operations: Vec<OperationId>,
}

/// Everything that a role can allow.
#[derive(Object, Serialize)]
struct PermissionList {
    /// In a fixed order.
    data: Vec<PermissionInfo>,
}

/// What is asked about.
#[derive(Object)]
struct PermissionQuery {
    /// May he do this?
    permission: Permission,
    /// Who; absent: I. To ask about others needs `members:read`.
    member_id: Option<Uuid>,
}

/// Whether a member may do something, and why.
#[derive(Object, Serialize)]
struct Explanation {
    /// May he?
    allowed: bool,
    /// What was asked about.
    permission: Permission,
    /// Why.
    reason: CheckReason,
    /// Those of his roles that allow it.
    granted_by: Vec<RoleKey>,
    /// The roles he holds.
    roles_held: Vec<RoleKey>,
    /// The roles of the organization that would do.
    roles_that_grant: Vec<RoleKey>,
}

/// Why a member may or may not do something.
#[derive(Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[oai(rename = "DecisionReason")]
enum CheckReason {
    /// A role of his allows it.
    Granted,
    /// None of his roles allows it.
    PermissionMissing,
    /// The organization is suspended: it can only be read.
    OrganizationSuspended,
    /// The organization was deleted.
    OrganizationDeleted,
    /// The member is suspended, or was removed.
    MembershipInactive,
}

/// The operations that need each permission.
static NEEDED: LazyLock<BTreeMap<String, Vec<String>>> =
    LazyLock::new(|| Operations::new::<Routes>(BASE).map(|all| all.by_permission()).unwrap_or_default());

#[OpenApi(tag = "Tag::Roles")]
impl PermissionsApi {
    /// List the permissions
    ///
    /// All of them, with the operations that need each.
    #[oai(path = "/permissions", method = "get", operation_id = "listPermissions")]
    async fn list(&self, _me: SignedIn) -> JsonResponse<PermissionList> {
        let data = permissions::Permission::ALL.iter().map(|permission| PermissionInfo {
            permission: Permission(permission.to_string()),
            description: Description(permission.about().to_owned()),
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

    /// Ask whether a member may do something
    #[oai(path = "/organizations/:org/authz/check", method = "post", operation_id = "checkPermission")]
    async fn check(
        &self,
        org: tenant::Path<Membership>,
        question: StrictJson<PermissionQuery>,
    ) -> Result<JsonResponse<Explanation>, WithConflict> {
        self.answer(org, question.value).await
    }

    /// Ask why a member may or may not do something
    ///
    /// Decided as his request would be.
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
            let message = "There is no such permission; `GET /permissions` lists them.";
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
