//! Exports log lines to a collector, as the last layer of `tracing` in [`crate::runtime::telemetry::init`].
//!
//! The layer exists from the start of the process and does nothing until [`start`], because an export needs the runtime.

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{
    InstrumentationScope, SpanId, TraceId,
    logs::{AnyValue, LogRecord},
};
use opentelemetry_appender_tracing::layer::{OpenTelemetryTracingBridge, TracingSpanAttributes};
use opentelemetry_otlp::LogExporter;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogBatch, LogExporter as _, LogProcessor, SdkLogRecord, SdkLogger, SdkLoggerProvider},
};
use tracing::{
    Event, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use crate::runtime::telemetry::{
    batch::{self, BatchExporter, BatchLimits, DropReason, RecordExport, RecordQueue},
    log_drops::LogDrop,
};

/// Targets of the export itself and of what it uses. Their lines are not exported: each export would cause another one.
const OWN_TARGETS: &[&str] =
    &["insula_core::runtime::telemetry", "opentelemetry", "h2", "hyper", "rustls", "tonic", "tower"];

type Bridge = OpenTelemetryTracingBridge<SdkLoggerProvider, SdkLogger>;

static BRIDGE: OnceLock<Bridge> = OnceLock::new();

/// The layer. It does nothing before [`start`].
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime::telemetry) struct LogExportLayer;

fn is_exported(target: &str) -> bool {
    let is_below = |own: &&str| {
        let rest = target.strip_prefix(*own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with('_'))
    };
    !OWN_TARGETS.iter().any(is_below)
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogExportLayer {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if let Some(bridge) = BRIDGE.get()
            && is_exported(event.metadata().target())
        {
            bridge.on_event(event, context);
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(bridge) = BRIDGE.get() {
            bridge.on_new_span(attributes, id, context);
        }
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(bridge) = BRIDGE.get() {
            bridge.on_record(span, values, context);
        }
    }
}

/// The export of log lines of a process.
#[derive(Debug)]
pub(super) struct LogExport(RecordExport<LogLines>);

impl LogExport {
    /// Exports the lines that wait, within `limit`.
    pub(super) async fn finish(self, limit: Duration) {
        self.0.finish(limit).await;
    }
}

/// Starts to send log lines to `exporter` in the background. Further calls do nothing.
pub(super) fn start(mut exporter: LogExporter, resource: Resource, limits: BatchLimits) -> LogExport {
    exporter.set_resource(&resource);
    let (queue, export) = batch::open(LogLines(exporter), limits);
    let provider =
        SdkLoggerProvider::builder().with_resource(resource).with_log_processor(LogQueue(queue)).build();
    BRIDGE.get_or_init(|| {
        let bridge = OpenTelemetryTracingBridge::builder(&provider);
        bridge.with_tracing_span_attributes(TracingSpanAttributes::all()).build()
    });
    LogExport(export)
}

/// Exports log lines.
#[derive(Debug)]
struct LogLines(LogExporter);

impl BatchExporter for LogLines {
    type Record = Box<(SdkLogRecord, InstrumentationScope)>;

    const SIGNAL: &'static str = "logs";

    async fn export(&self, batch: Vec<Self::Record>) -> OTelSdkResult {
        let lines: Vec<_> = batch.iter().map(|line| (&line.0, &line.1)).collect();
        self.0.export(LogBatch::new(&lines)).await
    }

    fn count_dropped(reason: DropReason, records: u64) {
        match reason {
            DropReason::QueueFull => LogDrop::ExportQueueFull.add(records),
            DropReason::ExportFailed => LogDrop::ExportFailed.add(records),
        }
    }
}

/// The queue, which the SDK gives each line.
#[derive(Debug)]
struct LogQueue(RecordQueue<LogLines>);

impl LogProcessor for LogQueue {
    fn emit(&self, line: &mut SdkLogRecord, scope: &InstrumentationScope) {
        // A trace that is not sampled has no span from which the SDK could take the ids.
        if line.trace_context().is_none()
            && let Some(trace) = id(line, "trace_id").and_then(|id| TraceId::from_hex(&id).ok())
            && let Some(span) = id(line, "span_id").and_then(|id| SpanId::from_hex(&id).ok())
        {
            line.set_trace_context(trace, span, None);
        }
        self.0.push(Box::new((line.clone(), scope.clone())));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn id(line: &SdkLogRecord, name: &str) -> Option<String> {
    let attribute = line.attributes_iter().find(|(key, _)| key.as_str() == name);
    match attribute {
        Some((_, AnyValue::String(text))) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_export_itself_are_not_exported() {
        for own in
            ["opentelemetry_sdk", "opentelemetry", "h2::client", "insula_core::runtime::telemetry::batch"]
        {
            assert!(!is_exported(own), "{own}");
        }
        for other in ["insula::access", "insula_core::runtime::cluster", "h2o", "sqlx::query"] {
            assert!(is_exported(other), "{other}");
        }
    }
}
