//! A bounded queue of finished spans, and the task that exports them. A full queue drops spans and counts them, so that no
//! request ever waits for a collector.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};
use tokio::{
    sync::mpsc::{self, Receiver, Sender, WeakSender},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use crate::runtime::telemetry::{failure_log::FailureLog, metrics};

/// How spans are collected into exports.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Maximum wait of a finished span.
    pub delay: Duration,
    /// Maximum number of finished spans that wait.
    pub queue: usize,
    /// Maximum number of spans in one export.
    pub batch: usize,
    /// Maximum duration of one export.
    pub timeout: Duration,
}

/// The sending end, which the SDK gives each finished span.
#[derive(Debug)]
pub(super) struct SpanQueue(WeakSender<SpanData>);

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let is_queued = self.0.upgrade().is_some_and(|queue| queue.try_send(span).is_ok());
        if !is_queued {
            metrics::spans_dropped("queue_full", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The background export of spans.
#[derive(Debug)]
pub struct SpanExport {
    queue: Sender<SpanData>,
    task: JoinHandle<()>,
}

impl SpanExport {
    /// Exports the spans that wait, within `limit`. Later spans are dropped.
    pub async fn finish(self, limit: Duration) {
        let Self { queue, mut task } = self;
        // The last sender: the task ends when the queue is empty.
        drop(queue);
        if timeout(limit, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("the last traces were not exported in time");
        }
    }
}

pub(super) fn open<E: SpanExporter + 'static>(exporter: E, limits: BatchLimits) -> (SpanQueue, SpanExport) {
    let (queue, spans) = mpsc::channel(limits.queue);
    #[expect(clippy::disallowed_methods, reason = "`SpanExport::finish` waits for it")]
    let task = tokio::spawn(export(spans, exporter, limits));
    (SpanQueue(queue.downgrade()), SpanExport { queue, task })
}

/// Exports until the queue is closed and empty.
async fn export<E: SpanExporter>(mut spans: Receiver<SpanData>, exporter: E, limits: BatchLimits) {
    let failures = FailureLog::new("traces");
    while let Some(first) = spans.recv().await {
        let mut batch = vec![first];
        let until = Instant::now() + limits.delay;
        while batch.len() < limits.batch {
            let free = limits.batch - batch.len();
            match timeout_at(until, spans.recv_many(&mut batch, free)).await {
                Ok(received) if received > 0 => {}
                // The time is over, or the queue is closed.
                _ => break,
            }
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let exported = match timeout(limits.timeout, exporter.export(batch)).await {
            Ok(exported) => exported.map_err(|error| error.to_string()),
            Err(_) => Err("the collector does not respond in time".to_owned()),
        };
        if let Err(error) = exported {
            metrics::spans_dropped("export_failed", count);
            failures.warn(&error);
        }
    }
}
