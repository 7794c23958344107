//! Where and how traces, metrics and logs are exported, and their exporters.

use std::time::Duration;

use hyper::http::HeaderMap;
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
    tonic_types::{
        metadata::MetadataMap,
        transport::{Certificate, ClientTlsConfig},
    },
};
use opentelemetry_sdk::metrics::PeriodicReader;

use super::{http_client::OtlpHttpClient, metric_export::LoggedExporter};
use crate::runtime::{
    config::{Config, ConfigError, Milliseconds, OtlpEndpoint, OtlpHeaders, OtlpProtocol, SignalExporter},
    telemetry::batch::BatchLimits,
    tls::Authorities,
};

/// Maximum number of records that wait, whatever the settings are.
const MAX_QUEUE: usize = 1 << 20;

/// Where and how one kind of data is exported.
pub(super) struct Signal {
    /// The setting that errors name.
    setting: &'static str,
    endpoint: String,
    is_https: bool,
    protocol: OtlpProtocol,
    headers: HeaderMap,
    timeout: Duration,
}

impl Signal {
    pub(super) fn traces(config: &Config) -> Option<Self> {
        Self::new(
            config,
            config.otel_traces_exporter,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", config.otlp_traces_endpoint.as_ref(), "v1/traces"),
            config.otlp_traces_protocol,
            config.otlp_traces_headers.as_ref(),
            config.otlp_traces_timeout,
        )
    }

    pub(super) fn metrics(config: &Config) -> Option<Self> {
        Self::new(
            config,
            config.otel_metrics_exporter,
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", config.otlp_metrics_endpoint.as_ref(), "v1/metrics"),
            config.otlp_metrics_protocol,
            config.otlp_metrics_headers.as_ref(),
            config.otlp_metrics_timeout,
        )
    }

    pub(super) fn logs(config: &Config) -> Option<Self> {
        Self::new(
            config,
            config.otel_logs_exporter,
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", config.otlp_logs_endpoint.as_ref(), "v1/logs"),
            config.otlp_logs_protocol,
            config.otlp_logs_headers.as_ref(),
            config.otlp_logs_timeout,
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

    pub(super) fn span_exporter(&self, config: &Config) -> Result<(SpanExporter, BatchLimits), ConfigError> {
        let builder = SpanExporter::builder();
        let exporter = match self.protocol {
            OtlpProtocol::Grpc => self.grpc(config, builder.with_tonic()).build(),
            OtlpProtocol::HttpProtobuf => self.http(config, builder.with_http())?.build(),
        };
        let limits = BatchLimits {
            delay: config.span_delay.0,
            queue: config.span_queue.min(MAX_QUEUE),
            batch: config.span_batch.min(config.span_queue),
            timeout: self.timeout,
        };
        Ok((exporter.map_err(|error| self.fault(error))?, limits))
    }

    pub(super) fn log_exporter(&self, config: &Config) -> Result<(LogExporter, BatchLimits), ConfigError> {
        let builder = LogExporter::builder();
        let exporter = match self.protocol {
            OtlpProtocol::Grpc => self.grpc(config, builder.with_tonic()).build(),
            OtlpProtocol::HttpProtobuf => self.http(config, builder.with_http())?.build(),
        };
        let limits = BatchLimits {
            delay: config.log_delay.0,
            queue: config.log_queue.min(MAX_QUEUE),
            batch: config.log_batch.min(config.log_queue),
            timeout: self.timeout,
        };
        Ok((exporter.map_err(|error| self.fault(error))?, limits))
    }

    pub(super) fn metric_reader(
        &self,
        config: &Config,
    ) -> Result<PeriodicReader<LoggedExporter>, ConfigError> {
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
