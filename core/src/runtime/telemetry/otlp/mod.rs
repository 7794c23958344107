//! Exports traces and metrics to an OpenTelemetry collector (OTLP), as the `OTEL_*` settings say.
//!
//! The exporters of `opentelemetry-otlp` would read the environment themselves. They get every setting from `config`, so
//! that a file or `.env` works too. TLS is the one of all outgoing connections ([`crate::runtime::tls`]).

mod http_client;
mod metric_export;

use std::time::Duration;

use hyper::http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
    tonic_types::{
        metadata::MetadataMap,
        transport::{Certificate, ClientTlsConfig},
    },
};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
};
use uuid::Uuid;

use self::{http_client::OtlpHttpClient, metric_export::LoggedExporter};
use super::{
    metrics,
    traces::{self, BatchLimits, SpanExport},
};
use crate::{
    base::crypto::random_bytes,
    runtime::{
        config::{
            Config, ConfigError, Milliseconds, OtlpEndpoint, OtlpHeaders, OtlpProtocol, SignalExporter,
        },
        tls::Authorities,
    },
};

/// How long the last export may take when the process stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The running exports of a process.
#[derive(Debug, Default)]
pub struct TelemetryExport {
    spans: Option<SpanExport>,
    metrics: Option<SdkMeterProvider>,
}

impl TelemetryExport {
    /// Exports what is left, within 3 seconds. Later spans are dropped.
    pub async fn finish(self) {
        let Self { spans, metrics } = self;
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
        tokio::join!(last_metrics, last_spans);
    }
}

/// Starts the metrics of this process, and the exports that the settings ask for.
///
/// # Errors
/// One line for each setting that prevents an export.
pub(super) fn start(config: &Config) -> Result<TelemetryExport, ConfigError> {
    let resource = resource(config);
    let (spans, reader) = match config.otel_disabled {
        true => (None, None),
        false => (
            Signal::traces(config).map(|signal| signal.span_exporter(config)).transpose()?,
            Signal::metrics(config).map(|signal| signal.metric_reader(config)).transpose()?,
        ),
    };
    let is_pushed = reader.is_some();
    let provider = metrics::init(resource.clone(), reader)
        .inspect_err(|error| tracing::warn!(error, "metrics are not available"))
        .ok();
    let spans = spans.map(|(exporter, limits)| traces::start(config, exporter, resource, limits));
    Ok(TelemetryExport { spans, metrics: provider.filter(|_| is_pushed) })
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

/// Where and how one kind of data is exported.
struct Signal {
    /// The setting that errors name.
    setting: &'static str,
    endpoint: String,
    is_https: bool,
    protocol: OtlpProtocol,
    headers: HeaderMap,
    timeout: Duration,
}

impl Signal {
    fn traces(config: &Config) -> Option<Self> {
        Self::new(
            config,
            config.otel_traces_exporter,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", config.otlp_traces_endpoint.as_ref(), "v1/traces"),
            config.otlp_traces_protocol,
            config.otlp_traces_headers.as_ref(),
            config.otlp_traces_timeout,
        )
    }

    fn metrics(config: &Config) -> Option<Self> {
        Self::new(
            config,
            config.otel_metrics_exporter,
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", config.otlp_metrics_endpoint.as_ref(), "v1/metrics"),
            config.otlp_metrics_protocol,
            config.otlp_metrics_headers.as_ref(),
            config.otlp_metrics_timeout,
        )
    }

    /// `None` if the signal is not exported.
    fn new(
        config: &Config,
        exporter: SignalExporter,
        (setting, own, path): (&'static str, Option<&OtlpEndpoint>, &str),
        protocol: Option<OtlpProtocol>,
        headers: Option<&OtlpHeaders>,
        timeout: Option<Milliseconds>,
    ) -> Option<Self> {
        let protocol = protocol.unwrap_or(config.otlp_protocol);
        let (setting, OtlpEndpoint(url)) = match (own, &config.otlp_endpoint) {
            _ if exporter == SignalExporter::None => return None,
            (Some(own), _) => (setting, own),
            (None, Some(general)) => ("OTEL_EXPORTER_OTLP_ENDPOINT", general),
            (None, None) => return None,
        };
        let endpoint = match (own, protocol) {
            (None, OtlpProtocol::HttpProtobuf) => format!("{}/{path}", url.as_str().trim_end_matches('/')),
            _ => url.to_string(),
        };
        Some(Self {
            setting,
            endpoint,
            is_https: url.scheme() == "https",
            protocol,
            headers: headers.or(config.otlp_headers.as_ref()).map(|all| all.0.clone()).unwrap_or_default(),
            timeout: timeout.unwrap_or(config.otlp_timeout).0,
        })
    }

    fn span_exporter(&self, config: &Config) -> Result<(SpanExporter, BatchLimits), ConfigError> {
        let builder = SpanExporter::builder();
        let exporter = match self.protocol {
            OtlpProtocol::Grpc => self.grpc(config, builder.with_tonic()).build(),
            OtlpProtocol::HttpProtobuf => self.http(config, builder.with_http())?.build(),
        };
        let limits = BatchLimits {
            delay: config.span_delay.0,
            queue: config.span_queue.min(1 << 20),
            batch: config.span_batch.min(config.span_queue),
            timeout: self.timeout,
        };
        Ok((exporter.map_err(|error| self.fault(error))?, limits))
    }

    fn metric_reader(&self, config: &Config) -> Result<PeriodicReader<LoggedExporter>, ConfigError> {
        let builder = MetricExporter::builder();
        let exporter = match self.protocol {
            OtlpProtocol::Grpc => self.grpc(config, builder.with_tonic()).build(),
            OtlpProtocol::HttpProtobuf => self.http(config, builder.with_http())?.build(),
        };
        let exporter = LoggedExporter::new(exporter.map_err(|error| self.fault(error))?);
        Ok(PeriodicReader::builder(exporter).with_interval(config.metric_interval.0).build())
    }

    fn grpc<B: WithExportConfig + WithTonicConfig>(&self, config: &Config, builder: B) -> B {
        let builder = builder
            .with_endpoint(self.endpoint.clone())
            .with_timeout(self.timeout)
            .with_metadata(MetadataMap::from_headers(self.headers.clone()));
        match self.is_https {
            true => builder.with_tls_config(
                ClientTlsConfig::new().ca_certificate(Certificate::from_pem(Authorities::load(config).pem())),
            ),
            false => builder,
        }
    }

    fn http<B: WithExportConfig + WithHttpConfig>(
        &self,
        config: &Config,
        builder: B,
    ) -> Result<B, ConfigError> {
        let tls = self.is_https.then(|| Authorities::load(config).client()).transpose();
        let client = OtlpHttpClient::new(tls.map_err(|error| self.fault(error))?, self.timeout);
        let text = |value: &hyper::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = self.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        Ok(builder
            .with_endpoint(self.endpoint.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(self.timeout)
            .with_headers(headers.collect())
            .with_http_client(client))
    }

    fn fault(&self, error: impl std::fmt::Display) -> ConfigError {
        ConfigError(vec![format!("{}: {error}", self.setting)])
    }
}
