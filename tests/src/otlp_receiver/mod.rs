//! A collector of traces, metrics and logs (OTLP over gRPC and HTTP) on a free port, which keeps what it receives.

mod grpc;
mod http;
mod received;
mod trace;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{net::TcpListener, task::JoinSet};

use self::received::ReceivedTelemetry;
pub use self::{
    received::{ReceivedLog, ReceivedSpan, SpanKind},
    trace::TestTrace,
};

/// The transport of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpTransport {
    /// gRPC over HTTP/2.
    Grpc,
    /// Protobuf over HTTP/1.1.
    Http,
}

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverMode {
    /// It accepts everything.
    Accept,
    /// It accepts everything and keeps nothing.
    Discard,
    /// It refuses everything as unavailable.
    Refuse,
    /// It never answers.
    Hang,
}

/// A running collector. It ends when it is dropped.
pub struct OtlpReceiver {
    address: String,
    transport: OtlpTransport,
    shared: Arc<SharedState>,
    _work: JoinSet<()>,
}

struct SharedState {
    mode: ReceiverMode,
    received: Mutex<ReceivedTelemetry>,
}

impl SharedState {
    /// Handles one request. `None`: it is refused.
    async fn receive(&self, keep: impl FnOnce(&mut ReceivedTelemetry)) -> Option<()> {
        self.with(|received| received.requests += 1);
        match self.mode {
            ReceiverMode::Accept => {
                self.with(keep);
                Some(())
            }
            ReceiverMode::Discard => Some(()),
            ReceiverMode::Refuse => None,
            ReceiverMode::Hang => std::future::pending().await,
        }
    }

    fn with<T>(&self, read: impl FnOnce(&mut ReceivedTelemetry) -> T) -> T {
        read(&mut self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl OtlpReceiver {
    /// Starts a collector that accepts everything.
    pub async fn start(transport: OtlpTransport) -> Self {
        Self::in_mode(transport, ReceiverMode::Accept).await
    }

    /// Starts a collector.
    pub async fn in_mode(transport: OtlpTransport, mode: ReceiverMode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address").to_string();
        let shared = Arc::new(SharedState { mode, received: Mutex::default() });
        let mut work = JoinSet::new();
        match transport {
            OtlpTransport::Grpc => work.spawn(grpc::serve(listener, Arc::clone(&shared))),
            OtlpTransport::Http => work.spawn(http::serve(listener, Arc::clone(&shared))),
        };
        Self { address, transport, shared, _work: work }
    }

    /// Its host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The settings that export to it, soon after each span and each log line.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let protocol = match self.transport {
            OtlpTransport::Grpc => "grpc",
            OtlpTransport::Http => "http/protobuf",
        };
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.address)),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
            ("OTEL_BLRP_SCHEDULE_DELAY", "50".to_owned()),
        ]
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.shared.with(|received| received.spans.clone())
    }

    /// All log lines so far.
    pub fn logs(&self) -> Vec<ReceivedLog> {
        self.shared.with(|received| received.logs.clone())
    }

    /// The names of all metrics so far, with repetitions.
    pub fn metrics(&self) -> Vec<String> {
        self.shared.with(|received| received.metrics.clone())
    }

    /// Everything so far as text, for a search. It includes resources and headers.
    pub fn text(&self) -> String {
        self.shared.with(|received| received.text.clone())
    }

    /// The number of requests so far.
    pub fn requests(&self) -> usize {
        self.shared.with(|received| received.requests)
    }
}
