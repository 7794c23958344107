//! OTLP over HTTP with protobuf bodies.

use std::{convert::Infallible, sync::Arc};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::{net::TcpListener, task::JoinSet};

use super::{ReceivedTelemetry, SharedState};

pub(super) async fn serve(listener: TcpListener, shared: Arc<SharedState>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
        // The client closes its connections when it likes.
        connections.spawn(async {
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<SharedState>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    assert_eq!(head.headers["content-type"], "application/x-protobuf");
    let headers = format!("{:?}", head.headers);
    let received = match head.uri.path() {
        "/v1/traces" => shared.decoded(&headers, body, ReceivedTelemetry::keep_spans).await,
        "/v1/metrics" => shared.decoded(&headers, body, ReceivedTelemetry::keep_metrics).await,
        "/v1/logs" => shared.decoded(&headers, body, ReceivedTelemetry::keep_logs).await,
        other => panic!("an export to {other}"),
    };
    let mut response = Response::new(Empty::new());
    if received.is_none() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

impl SharedState {
    /// Handles a request with a message. `None`: it is refused.
    async fn decoded<M: Message + Default>(
        &self,
        headers: &str,
        body: Bytes,
        keep: impl FnOnce(&mut ReceivedTelemetry, M),
    ) -> Option<()> {
        let message = M::decode(body).expect("a message of this signal");
        self.receive(|received| {
            received.text.push_str(headers);
            keep(received, message);
        })
        .await
    }
}
