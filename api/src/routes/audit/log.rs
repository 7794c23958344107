//! `/organizations/{org}/audit-events`: the audit events of an organization.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{ids::EventId, permissions::AuditRead},
    storage::audit,
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};

use super::{
    super::Tag, ActionName, AuditEvent, EventOutcome, EventQuery, EventSort, IpAddress, RequestIdText,
    ResourceId, ResourceName, SequenceNumber, page,
};
use crate::{
    auth::tenant,
    http::{Cursor, Id, JsonResponse, Limit, PageResponse},
    problem::Result,
    state::AppState,
};

pub struct AuditLogApi(pub Arc<AppState>);

#[OpenApi(tag = "Tag::Audit")]
impl AuditLogApi {
    /// List audit events
    ///
    /// Newest first by default. Refused requests of members are included; repeated ones are recorded once a
    /// minute with their number.
    #[oai(path = "/organizations/:org/audit-events", method = "get", operation_id = "listAuditEvents")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<AuditRead>,
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
        page(&self.0, request, &org.0, wanted, (limit.0, sort.0, cursor.0)).await
    }

    /// Get an audit event
    ///
    /// Returns one event of the audit log. `seq` and the hashes are `null` until it is sealed, a few seconds
    /// after it happened.
    #[oai(path = "/organizations/:org/audit-events/:event", method = "get", operation_id = "getAuditEvent")]
    async fn get(&self, org: tenant::Path<AuditRead>, event: Path<Id>) -> Result<JsonResponse<AuditEvent>> {
        let tx = self.0.db.begin(org.0).await?;
        Ok(JsonResponse(audit::get(&tx, EventId(event.0.0)).await?.into()))
    }
}
