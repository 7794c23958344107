//! Exports metrics, and logs failures.

use std::time::Duration;

use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
};

use crate::runtime::telemetry::failure_log::FailureLog;

/// An exporter whose failures are logged at most once a minute.
#[derive(Debug)]
pub(super) struct LoggedExporter {
    exporter: MetricExporter,
    failures: FailureLog,
}

impl LoggedExporter {
    pub(super) fn new(exporter: MetricExporter) -> Self {
        Self { exporter, failures: FailureLog::new("metrics") }
    }
}

impl PushMetricExporter for LoggedExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let exported = self.exporter.export(metrics).await;
        if let Err(error) = &exported {
            self.failures.warn(&error.to_string());
        }
        exported
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
