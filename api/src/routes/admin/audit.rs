//! `/admin/audit-events`: the audit log of the platform. It has the events that belong to no organization:
//! accounts, logins, keys, and requests refused to anonymous clients and non-members.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::storage::{audit, audit_chain};
use poem::Request;
use poem_openapi::{OpenApi, param::Query};

use super::super::{
    Tag,
    audit::{
        ActionName, AuditEvent, EventOutcome, EventQuery, EventSort, IpAddress, RequestIdText, ResourceId,
        ResourceName, SequenceNumber, page, verification::Verification,
    },
};
use crate::{
    auth::extractors::SuperuserOnly,
    http::{Cursor, Id, JsonResponse, Limit, PageResponse},
    problem::Result,
    state::AppState,
};

pub struct PlatformAuditApi(pub Arc<AppState>);

#[OpenApi(tag = "Tag::Platform")]
impl PlatformAuditApi {
    /// List platform audit events
    ///
    /// Returns the events that belong to no organization, such as logins and changes of accounts. Newest
    /// first by default.
    #[oai(path = "/admin/audit-events", method = "get", operation_id = "listPlatformAuditEvents")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        me: SuperuserOnly,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<EventSort>>,
        /// Only events of this user.
        actor: Query<Option<Id>>,
        /// Only events with this action. Repeat it for several.
        action: Query<Option<Vec<ActionName>>>,
        /// Only events of this type of object.
        resource: Query<Option<ResourceName>>,
        /// Only events of this object.
        resource_id: Query<Option<ResourceId>>,
        /// Only events from this IP address. The spelling of IPv6 addresses does not matter.
        ip: Query<Option<IpAddress>>,
        /// Only events with this outcome.
        outcome: Query<Option<EventOutcome>>,
        /// Only events at or after this time.
        from: Query<Option<DateTime<Utc>>>,
        /// Only events before this time.
        to: Query<Option<DateTime<Utc>>>,
        /// Only sealed events with this sequence number or a higher one.
        seq_from: Query<Option<SequenceNumber>>,
        /// Only sealed events with this sequence number or a lower one.
        seq_to: Query<Option<SequenceNumber>>,
        /// Only events of the request with this id (`X-Request-Id`).
        request_id: Query<Option<RequestIdText>>,
    ) -> Result<PageResponse<AuditEvent>> {
        let wanted = EventQuery {
            actor: actor.0,
            actions: action.0,
            resource: resource.0,
            resource_id: resource_id.0,
            ip: ip.0,
            outcome: outcome.0,
            from: from.0,
            to: to.0,
            seq_from: seq_from.0,
            seq_to: seq_to.0,
            request_id: request_id.0,
        };
        let proof = audit::platform_log(me.origin());
        page(&self.0, request, &proof, wanted, (limit.0, sort.0, cursor.0)).await
    }

    /// Verify the platform audit log
    ///
    /// Compares every event of the platform's log with its hash, and the log with its signed checkpoints.
    #[oai(path = "/admin/audit/verify", method = "get", operation_id = "verifyPlatformAuditLog")]
    async fn verify(&self, me: SuperuserOnly) -> Result<JsonResponse<Verification>> {
        let proof = audit::platform_log(me.origin());
        Ok(JsonResponse(audit_chain::verify(&self.0.db, &self.0.signer, &proof).await?.into()))
    }
}
