//! `/organizations/{org}/audit-events`: what happened in an organization.

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
    super::Tag, ActionName, AuditEvent, EventQuery, EventSort, IpAddress, Outcome, ResourceId, ResourceName,
    page,
};
use crate::{
    auth::tenant,
    http::{Cursor, Id, JsonResponse, Limit, PageResponse},
    problem::Result,
    state::State,
};

pub struct AuditLogApi(pub Arc<State>);

#[OpenApi(tag = "Tag::Audit")]
impl AuditLogApi {
    /// List what happened
    ///
    /// The newest first. What was refused to members is among it, each kind of it once a minute with its number.
    #[oai(path = "/organizations/:org/audit-events", method = "get", operation_id = "listAuditEvents")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<AuditRead>,
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
        page(&self.0, request, &org.0, wanted, (limit.0, sort.0, cursor.0)).await
    }

    /// Look at something that happened
    #[oai(path = "/organizations/:org/audit-events/:event", method = "get", operation_id = "getAuditEvent")]
    async fn get(&self, org: tenant::Path<AuditRead>, event: Path<Id>) -> Result<JsonResponse<AuditEvent>> {
        let tx = self.0.db.begin(org.0).await?;
        Ok(JsonResponse(audit::get(&tx, EventId(event.0.0)).await?.into()))
    }
}
