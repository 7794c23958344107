//! Passes finished spans to their export.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

use crate::runtime::telemetry::{
    batch::{BatchExporter, DropReason, RecordQueue},
    metrics,
};

/// Exports finished spans.
#[derive(Debug)]
pub(super) struct FinishedSpans<E>(pub(super) E);

impl<E: SpanExporter + 'static> BatchExporter for FinishedSpans<E> {
    type Record = SpanData;

    const SIGNAL: &'static str = "traces";

    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.export(batch)
    }

    fn count_dropped(reason: DropReason, records: u64) {
        metrics::spans_dropped(reason.as_str(), records);
    }
}

/// The queue, which the SDK gives each finished span.
#[derive(Debug)]
pub(super) struct SpanQueue<E: SpanExporter + 'static>(pub(super) RecordQueue<FinishedSpans<E>>);

impl<E: SpanExporter + 'static> SpanProcessor for SpanQueue<E> {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
