//! A collector that is absent, refuses or hangs costs nothing. The last spans are exported when the process stops.

use std::time::{Duration, Instant};

use insula_tests::{Client, OtlpReceiver, OtlpTransport, ReceiverMode, Server, eventually};

use super::exporting;

/// Less than a server needs to stop with a collector that hangs: the flush takes at most 3 s.
const STOP: Duration = Duration::from_secs(15);

/// Spans that were not exported, by the ops port.
async fn dropped(ops: &Client, reason: &str) -> u64 {
    let metrics = ops.get("/metrics").await;
    let line = format!("insula_traces_dropped_total{{reason=\"{reason}\"}} ");
    let value = metrics.text().lines().find_map(|text| text.strip_prefix(&line).map(str::to_owned));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Sends many requests, which must be answered as without a collector, and stops the server.
async fn is_harmless(server: Server, reason: &str) {
    let ops = server.ops_client().await;
    let started = Instant::now();
    for _ in 0..200 {
        server.client().get("/api/v1/users/me").await.problem(401, "UNAUTHENTICATED");
    }
    // One export takes up to 10 s to time out.
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    eventually("a dropped span", async || dropped(&ops, reason).await > 0).await;
    let started = Instant::now();
    let output = server.terminate().await;
    assert!(output.status.success() && started.elapsed() < STOP, "{:?}", started.elapsed());
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.matches("cannot export traces").count() <= 1, "{log}");
}

fn small_queue(receiver: &OtlpReceiver) -> insula_tests::Builder {
    let builder =
        exporting(receiver).env("OTEL_BSP_MAX_QUEUE_SIZE", "8").env("OTEL_METRICS_EXPORTER", "none");
    builder.env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
}

#[tokio::test]
async fn a_collector_that_hangs_costs_nothing() {
    for transport in [OtlpTransport::Grpc, OtlpTransport::Http] {
        let receiver = OtlpReceiver::in_mode(transport, ReceiverMode::Hang).await;
        let server = small_queue(&receiver).start().await;
        is_harmless(server, "queue_full").await;
        assert!(receiver.requests() > 0);
    }
}

#[tokio::test]
async fn a_collector_that_refuses_is_logged_once() {
    for transport in [OtlpTransport::Grpc, OtlpTransport::Http] {
        let receiver = OtlpReceiver::in_mode(transport, ReceiverMode::Refuse).await;
        let server = exporting(&receiver).env("OTEL_EXPORTER_OTLP_TIMEOUT", "200").start().await;
        eventually("a log line", async || {
            server.client().get("/healthz").await.expect(200);
            server.log().contains("cannot export traces")
        })
        .await;
        is_harmless(server, "export_failed").await;
    }
}

#[tokio::test]
async fn an_absent_collector_costs_nothing() {
    for transport in [OtlpTransport::Grpc, OtlpTransport::Http] {
        let receiver = OtlpReceiver::start(transport).await;
        let settings = receiver.settings();
        drop(receiver);
        let builder = Server::builder().settings(settings).env("OTEL_EXPORTER_OTLP_TIMEOUT", "500");
        is_harmless(builder.start().await, "export_failed").await;
    }
}

#[tokio::test]
async fn the_last_spans_and_metrics_are_exported_at_the_end() {
    for transport in [OtlpTransport::Grpc, OtlpTransport::Http] {
        let receiver = OtlpReceiver::start(transport).await;
        let builder = Server::builder().settings(receiver.settings());
        let server = builder.env("OTEL_BSP_SCHEDULE_DELAY", "600000").start().await;
        for _ in 0..5 {
            server.client().get("/api/v1/users/me").await.problem(401, "UNAUTHENTICATED");
        }
        assert!(receiver.spans().is_empty());
        assert!(server.terminate().await.status.success());
        let spans = receiver.spans();
        let requests = spans.iter().filter(|span| span.name == "GET /api/v1/users/me").count();
        assert_eq!(requests, 5, "{spans:#?}");
        assert!(receiver.metrics().iter().any(|name| name == "http.server.request.duration"));
    }
}
