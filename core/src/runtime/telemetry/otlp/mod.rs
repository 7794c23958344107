//! Exports traces, metrics and logs to an OpenTelemetry collector (OTLP), as the `OTEL_*` settings say.
//!
//! The exporters of `opentelemetry-otlp` would read the environment themselves. They get every setting from `config`, so
//! that a file or `.env` works too. TLS is the one of all outgoing connections ([`crate::runtime::tls`]).

mod http_client;
mod log_export;
mod metric_export;
mod signal;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider};
use uuid::Uuid;

pub(super) use self::log_export::LogExportLayer;
use self::{log_export::LogExport, signal::Signal};
use super::{
    log_drops, metrics,
    traces::{self, SpanExport},
};
use crate::{
    base::crypto::random_bytes,
    runtime::config::{Config, ConfigError},
};

/// How long the last export may take when the process stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The running exports of a process.
#[derive(Debug, Default)]
pub struct TelemetryExport {
    spans: Option<SpanExport<SpanExporter>>,
    metrics: Option<SdkMeterProvider>,
    logs: Option<LogExport>,
}

impl TelemetryExport {
    /// Exports what is left, within 3 seconds. Later spans and log lines are dropped.
    pub async fn finish(self) {
        let Self { spans, metrics, logs } = self;
        let last_metrics = async {
            if let Some(metrics) = metrics {
                let stopped =
                    tokio::task::spawn_blocking(move || metrics.shutdown_with_timeout(FLUSH_TIMEOUT));
                if !matches!(stopped.await, Ok(Ok(()))) {
                    tracing::warn!("the last metrics were not exported in time");
                }
            }
        };
        let last_spans = async {
            if let Some(spans) = spans {
                spans.finish(FLUSH_TIMEOUT).await;
            }
        };
        let last_logs = async {
            if let Some(logs) = logs {
                logs.finish(FLUSH_TIMEOUT).await;
            }
        };
        tokio::join!(last_metrics, last_spans, last_logs);
    }
}

/// Starts the metrics of this process, and the exports that the settings ask for.
///
/// # Errors
/// One line for each setting that prevents an export.
pub(super) fn start(config: &Config) -> Result<TelemetryExport, ConfigError> {
    let resource = resource(config);
    let (spans, reader, logs) = match config.otel_disabled {
        true => (None, None, None),
        false => (
            Signal::traces(config).map(|signal| signal.span_exporter(config)).transpose()?,
            Signal::metrics(config).map(|signal| signal.metric_reader(config)).transpose()?,
            Signal::logs(config).map(|signal| signal.log_exporter(config)).transpose()?,
        ),
    };
    let is_pushed = reader.is_some();
    let provider = metrics::init(resource.clone(), reader)
        .inspect_err(|error| tracing::warn!(error, "metrics are not available"))
        .ok();
    log_drops::observe();
    let spans = spans.map(|(exporter, limits)| traces::start(config, exporter, resource.clone(), limits));
    let logs = logs.map(|(exporter, limits)| log_export::start(exporter, resource, limits));
    Ok(TelemetryExport { spans, metrics: provider.filter(|_| is_pushed), logs })
}

/// The attributes of this process. Collectors distinguish processes by `service.instance.id`.
fn resource(config: &Config) -> Resource {
    let instance = uuid::Builder::from_random_bytes(random_bytes()).into_uuid();
    let given = config.otel_resource_attributes.iter().flat_map(|attributes| &attributes.0);
    // `Resource::builder` would read the environment, which only `config` may do. Later attributes replace earlier ones.
    let builder = Resource::builder_empty()
        .with_service_name("insula")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", Uuid::to_string(&instance)))
        .with_attributes(given.map(|(name, value)| KeyValue::new(name.clone(), value.clone())));
    match &config.otel_service_name {
        Some(name) => builder.with_service_name(name.clone()).build(),
        None => builder.build(),
    }
}
