//! `/organizations/{org}/exports/audit-events.…`: export the audit log as a file.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::permissions::{AuditExport, Authorized},
    storage::{
        audit::{EventFilter, EventRecord},
        audit_chain::{self, AuditLogExport},
    },
};
use poem_openapi::{OpenApi, param::Query};

use super::{super::Tag, ActionName, EventQuery, RequestIdText, SequenceNumber};
use crate::{
    auth::tenant,
    http::{Csv, Download, JsonLines, TableRow},
    problem::Result,
    state::AppState,
};

pub struct AuditExportsApi(pub Arc<AppState>);

#[OpenApi(tag = "Tag::Audit")]
impl AuditExportsApi {
    /// Export the audit log as JSON Lines
    ///
    /// Exports the sealed audit events in their order. Without filters the file has the whole log and its
    /// signed checkpoints, and `insula audit verify` can verify it without the database. The export is
    /// recorded in the audit log.
    #[oai(
        path = "/organizations/:org/exports/audit-events.jsonl",
        method = "get",
        operation_id = "exportAuditEventsAsJsonLines"
    )]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn json_lines(
        &self,
        org: tenant::Path<AuditExport>,
        /// Only events with this action. Repeat it for several.
        action: Query<Option<Vec<ActionName>>>,
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
    ) -> Result<Download<JsonLines>> {
        let wanted = EventQuery {
            actions: action.0,
            from: from.0,
            to: to.0,
            seq_from: seq_from.0,
            seq_to: seq_to.0,
            request_id: request_id.0,
            ..EventQuery::default()
        };
        let export = self.begin(org.0, "jsonl", wanted).await?;
        let lines = futures_util::stream::try_unfold(export, async |mut export| {
            Ok(export.lines().await?.map(|lines| (lines, export)))
        });
        Ok(Download::new("audit-events.jsonl", lines))
    }

    /// Export the audit log as CSV
    ///
    /// Exports the sealed audit events in their order, for spreadsheets. The export is recorded in the audit
    /// log.
    #[oai(
        path = "/organizations/:org/exports/audit-events.csv",
        method = "get",
        operation_id = "exportAuditEventsAsCsv"
    )]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter of the query")]
    async fn csv(
        &self,
        org: tenant::Path<AuditExport>,
        /// Only events with this action. Repeat it for several.
        action: Query<Option<Vec<ActionName>>>,
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
        /// Whether the file begins with a byte order mark, which tells spreadsheets that it is UTF-8.
        /// Defaults to `false`.
        bom: Query<Option<bool>>,
    ) -> Result<Download<Csv<EventRecord>>> {
        let wanted = EventQuery {
            actions: action.0,
            from: from.0,
            to: to.0,
            seq_from: seq_from.0,
            seq_to: seq_to.0,
            request_id: request_id.0,
            ..EventQuery::default()
        };
        let export = self.begin(org.0, "csv", wanted).await?;
        let rows = futures_util::stream::try_unfold(export, async |mut export| {
            Ok(export.events().await?.map(|rows| (rows, export)))
        });
        Ok(Download::new("audit-events.csv", rows).marked(bom.0 == Some(true)))
    }
}

impl AuditExportsApi {
    async fn begin(
        &self,
        proof: Authorized<AuditExport>,
        format: &'static str,
        wanted: EventQuery,
    ) -> Result<AuditLogExport<AuditExport>> {
        let filter = EventFilter::try_from(wanted)?;
        let export = AuditLogExport::begin(&self.0.db, &proof, filter.clone()).await?;
        let tx = self.0.db.begin(proof).await?;
        audit_chain::record_export(&tx, format, &filter).await?;
        tx.commit().await?;
        Ok(export)
    }
}

impl TableRow for EventRecord {
    const HEADER: &'static [&'static str] = &[
        "seq",
        "id",
        "occurred_at",
        "actor_kind",
        "actor_id",
        "actor_label",
        "action",
        "resource",
        "resource_id",
        "outcome",
        "details",
        "ip",
        "user_agent",
        "session_id",
        "request_id",
        "trace_id",
        "prev_hash",
        "hash",
    ];

    fn cells(self) -> Vec<String> {
        let Self { event, personal } = self;
        let (ip, user_agent, label) =
            personal.map_or_else(Default::default, |it| (it.ip, it.user_agent, it.label));
        let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        vec![
            event.seq.map(|seq| seq.to_string()).unwrap_or_default(),
            event.id.to_string(),
            event.occurred_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            event.actor_kind,
            id(event.actor_id),
            label.unwrap_or_default(),
            event.action,
            event.resource,
            event.resource_id.unwrap_or_default(),
            event.outcome,
            event.details,
            ip.unwrap_or_default(),
            user_agent.unwrap_or_default(),
            id(event.session_id.map(|session| session.0)),
            event.request_id.unwrap_or_default(),
            event.trace_id.unwrap_or_default(),
            event.prev_hash.unwrap_or_default(),
            event.hash.unwrap_or_default(),
        ]
    }
}
