//! What a collector received.

use std::{collections::BTreeMap, fmt::Write};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::LogRecord,
    trace::v1::{Span, span, status},
};

pub use span::SpanKind;

#[derive(Default)]
pub(super) struct ReceivedTelemetry {
    pub(super) requests: usize,
    pub(super) spans: Vec<ReceivedSpan>,
    pub(super) metrics: Vec<String>,
    pub(super) logs: Vec<ReceivedLog>,
    pub(super) text: String,
}

/// A received span. Ids are in hexadecimal.
#[derive(Clone, Debug)]
pub struct ReceivedSpan {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SpanKind,
    /// Id of its trace.
    pub trace_id: String,
    /// Its id.
    pub span_id: String,
    /// Id of its parent; empty for none.
    pub parent_id: String,
    /// The `tracestate` of its parent.
    pub trace_state: String,
    /// Whether its status is an error.
    pub is_error: bool,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
}

impl ReceivedSpan {
    /// An attribute; empty without one.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

impl From<Span> for ReceivedSpan {
    fn from(span: Span) -> Self {
        Self {
            kind: span.kind(),
            name: span.name,
            trace_id: hex(&span.trace_id),
            span_id: hex(&span.span_id),
            parent_id: hex(&span.parent_span_id),
            trace_state: span.trace_state,
            is_error: span.status.is_some_and(|status| status.code() == status::StatusCode::Error),
            attributes: span.attributes.into_iter().map(attribute).collect(),
        }
    }
}

/// A received log line. Ids are in hexadecimal; empty for none.
#[derive(Clone, Debug)]
pub struct ReceivedLog {
    /// Its level, such as `INFO`.
    pub level: String,
    /// Its message; empty for none.
    pub message: String,
    /// Id of its trace.
    pub trace_id: String,
    /// Id of its span.
    pub span_id: String,
    /// Its fields and those of the spans around it, as text.
    pub attributes: BTreeMap<String, String>,
}

impl From<LogRecord> for ReceivedLog {
    fn from(line: LogRecord) -> Self {
        Self {
            level: line.severity_text,
            message: line.body.map_or_else(String::new, |body| text(Some(body))),
            trace_id: hex(&line.trace_id),
            span_id: hex(&line.span_id),
            attributes: line.attributes.into_iter().map(attribute).collect(),
        }
    }
}

fn attribute(KeyValue { key, value, .. }: KeyValue) -> (String, String) {
    (key, text(value))
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a text");
        text
    })
}

impl ReceivedTelemetry {
    pub(super) fn keep_spans(&mut self, request: ExportTraceServiceRequest) {
        write!(self.text, "{request:?}").expect("writing to a text");
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        self.spans.extend(scopes.flat_map(|scope| scope.spans).map(ReceivedSpan::from));
    }

    pub(super) fn keep_metrics(&mut self, request: ExportMetricsServiceRequest) {
        write!(self.text, "{request:?}").expect("writing to a text");
        let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        self.metrics.extend(scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name));
    }

    pub(super) fn keep_logs(&mut self, request: ExportLogsServiceRequest) {
        write!(self.text, "{request:?}").expect("writing to a text");
        let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
        self.logs.extend(scopes.flat_map(|scope| scope.log_records).map(ReceivedLog::from));
    }
}
