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
use opentelemetry_proto::tonic::collector::{
    metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinSet};

use super::SharedState;

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
        "/v1/traces" => {
            let message = ExportTraceServiceRequest::decode(body).expect("spans");
            shared
                .receive(|received| {
                    received.text.push_str(&headers);
                    received.keep_spans(message);
                })
                .await
        }
        "/v1/metrics" => {
            let message = ExportMetricsServiceRequest::decode(body).expect("metrics");
            shared
                .receive(|received| {
                    received.text.push_str(&headers);
                    received.keep_metrics(message);
                })
                .await
        }
        other => panic!("an export to {other}"),
    };
    let mut response = Response::new(Empty::new());
    if received.is_none() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}
