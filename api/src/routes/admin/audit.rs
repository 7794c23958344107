//! `/admin/audit-events`: the log of what belongs to no organization: accounts, log-ins, keys, and what was refused to
//! strangers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::storage::{audit, audit_chain};
use poem::Request;
use poem_openapi::{OpenApi, param::Query};

use super::super::{
    Tag,
    audit::{
        ActionName, AuditEvent, EventQuery, EventSort, IpAddress, Outcome, ResourceId, ResourceName, page,
        verification::Verification,
    },
};
use crate::{
    auth::extractors::SuperuserOnly,
    http::{Cursor, Id, JsonResponse, Limit, PageResponse},
    problem::Result,
    state::State,
};

pub struct PlatformAuditApi(pub Arc<State>);

#[OpenApi(tag = "Tag::Platform")]
impl PlatformAuditApi {
    /// List what happened outside of organizations
    ///
    /// The newest first.
    #[oai(path = "/admin/audit-events", method = "get", operation_id = "listPlatformAuditEvents")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<EventSort>>,
        /// Only what this person did.
        actor: Query<Option<Id>>,
        /// Only this.
        action: Query<Option<ActionName>>,
        /// Only what happened to this noun.
        resource: Query<Option<ResourceName>>,
        /// Only what happened to this one.
        resource_id: Query<Option<ResourceId>>,
        /// Only what came from this address.
        ip: Query<Option<IpAddress>>,
        /// Only what ended so.
        outcome: Query<Option<Outcome>>,
        /// Only what happened at this instant or later.
        from: Query<Option<DateTime<Utc>>>,
        /// Only what happened before this instant.
        to: Query<Option<DateTime<Utc>>>,
    ) -> Result<PageResponse<AuditEvent>> {
        let wanted = EventQuery {
            actor: actor.0,
            action: action.0,
            resource: resource.0,
            resource_id: resource_id.0,
            ip: ip.0,
            outcome: outcome.0,
            from: from.0,
            to: to.0,
        };
        let proof = audit::of_the_platform(me.origin());
        page(&self.0, request, &proof, wanted, (limit.0, sort.0, cursor.0)).await
    }

    /// Prove that the platform's log is whole
    #[oai(path = "/admin/audit/verify", method = "get", operation_id = "verifyPlatformAuditLog")]
    async fn verify(&self, me: SuperuserOnly) -> Result<JsonResponse<Verification>> {
        let proof = audit::of_the_platform(me.origin());
        Ok(JsonResponse(audit_chain::verify(&self.0.db, &self.0.signer, &proof).await?.into()))
    }
}
