//! OTLP over gRPC.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use super::SharedState;

pub(super) async fn serve(listener: TcpListener, shared: Arc<SharedState>) {
    let collector = GrpcCollector(shared);
    let served = Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .add_service(LogsServiceServer::new(collector.clone()))
        .add_service(MetricsServiceServer::new(collector))
        .serve_with_incoming(TcpIncoming::from(listener));
    served.await.expect("the collector serves");
}

#[derive(Clone)]
struct GrpcCollector(Arc<SharedState>);

impl GrpcCollector {
    async fn receive<T: std::fmt::Debug>(
        &self,
        request: Request<T>,
        keep: impl FnOnce(&mut super::ReceivedTelemetry, T),
    ) -> Result<(), Status> {
        let (metadata, _, message) = request.into_parts();
        let received = self.0.receive(|received| {
            received.text.push_str(&format!("{metadata:?}"));
            keep(received, message);
        });
        received.await.ok_or_else(|| Status::unavailable("refused"))
    }
}

#[tonic::async_trait]
impl TraceService for GrpcCollector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.receive(request, super::ReceivedTelemetry::keep_spans).await?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for GrpcCollector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.receive(request, super::ReceivedTelemetry::keep_metrics).await?;
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for GrpcCollector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.receive(request, super::ReceivedTelemetry::keep_logs).await?;
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
