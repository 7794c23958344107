//! Logs that are exported to a collector.

use std::time::Duration;

use insula_tests::{
    Client, OtlpReceiver, OtlpTransport, ReceivedLog, ReceiverMode, Server, SpanKind, eventually,
};
use serde_json::json;

use super::{exporting, spans_of};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const ME: &str = "/api/v1/users/me";

/// The access line of the request in this trace.
async fn access_line(receiver: &OtlpReceiver, trace: &str) -> ReceivedLog {
    let find = || {
        let mut lines = receiver.logs().into_iter();
        lines.find(|line| line.trace_id == trace && line.attributes.contains_key("status"))
    };
    eventually("an access line", async || find().is_some()).await;
    find().unwrap()
}

#[tokio::test]
async fn a_log_line_has_the_ids_of_its_trace_and_span() {
    for transport in [OtlpTransport::Grpc, OtlpTransport::Http] {
        let receiver = OtlpReceiver::start(transport).await;
        let server = exporting(&receiver).start().await;
        let traceparent = format!("00-{TRACE}-b7ad6b7169203331-01");
        let me = server.client().get(ME).header("traceparent", &traceparent).await;
        let problem = me.problem(401, "UNAUTHENTICATED");
        let line = access_line(&receiver, TRACE).await;
        assert_eq!(line.level, "INFO");
        for (name, value) in [
            ("method", "GET"),
            ("path", ME),
            ("status", "401"),
            ("trace_id", TRACE),
            ("request_id", problem["request_id"].as_str().unwrap()),
        ] {
            assert_eq!(line.attributes.get(name).map(String::as_str), Some(value), "{name} in {line:?}");
        }
        let name = format!("GET {ME}");
        let spans = spans_of(&receiver, TRACE, &[&name]).await;
        assert_eq!(line.span_id, super::only(&spans, SpanKind::Server, &name).span_id);
        assert!(receiver.text().contains("insula::access"), "the target of the line");
        // Without a span, because the client does not sample its trace.
        let other = TRACE.replace('0', "1");
        let traceparent = format!("00-{other}-b7ad6b7169203331-00");
        server.client().get(ME).header("traceparent", &traceparent).await.expect(401);
        assert_eq!(access_line(&receiver, &other).await.span_id.len(), 16);
    }
}

#[tokio::test]
async fn an_export_causes_no_other_export() {
    for transport in [OtlpTransport::Grpc, OtlpTransport::Http] {
        let receiver = OtlpReceiver::start(transport).await;
        let builder = exporting(&receiver).env("OTEL_TRACES_EXPORTER", "none");
        let builder = builder.env("OTEL_METRICS_EXPORTER", "none").env("RUST_LOG", "trace");
        let server = builder.argument("--no-worker").start().await;
        server.client().get(ME).await.expect(401);
        eventually("a line", async || !receiver.logs().is_empty()).await;
        // Background work also logs at this level, but far less often than an export each 50 ms would.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let text = receiver.text();
        for target in ["\"h2::", "\"hyper", "\"opentelemetry", "\"tonic", "\"tower", "\"rustls"] {
            assert!(!text.contains(target), "{target} in {text}");
        }
    }
}

/// Log lines that were not exported, by the ops port.
async fn dropped(ops: &Client, reason: &str) -> u64 {
    let metrics = ops.get("/metrics").await;
    let line = format!("insula_logs_dropped_total{{destination=\"otlp\",reason=\"{reason}\"}} ");
    let value = metrics.text().lines().find_map(|text| text.strip_prefix(&line).map(str::to_owned));
    value.expect("the metric exists from the start").parse().unwrap()
}

#[tokio::test]
async fn a_collector_that_hangs_or_refuses_costs_nothing() {
    for transport in [OtlpTransport::Grpc, OtlpTransport::Http] {
        for (mode, reason) in [(ReceiverMode::Hang, "queue_full"), (ReceiverMode::Refuse, "export_failed")] {
            let receiver = OtlpReceiver::in_mode(transport, mode).await;
            let builder = Server::builder().settings(receiver.settings()).env("OTEL_TRACES_EXPORTER", "none");
            let builder = builder.env("OTEL_METRICS_EXPORTER", "none").env("OTEL_BLRP_MAX_QUEUE_SIZE", "8");
            let server = builder.start().await;
            let ops = server.ops_client().await;
            let started = std::time::Instant::now();
            for _ in 0..100 {
                server.client().get(ME).await.problem(401, "UNAUTHENTICATED");
            }
            // One export takes up to 10 s to time out.
            assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
            eventually("a dropped line", async || dropped(&ops, reason).await > 0).await;
            let output = server.terminate().await;
            assert!(output.status.success());
            let log = String::from_utf8(output.stderr).unwrap();
            assert!(log.matches("cannot export logs").count() <= 1, "{log}");
            assert!(mode == ReceiverMode::Hang || log.contains("cannot export logs"), "{log}");
        }
    }
}

#[tokio::test]
async fn the_last_lines_are_exported_at_the_end_and_none_if_they_are_not_wanted() {
    let receiver = OtlpReceiver::start(OtlpTransport::Http).await;
    let server = exporting(&receiver).env("OTEL_BLRP_SCHEDULE_DELAY", "600000").start().await;
    server.client().get(ME).await.expect(401);
    assert!(receiver.logs().is_empty());
    assert!(server.terminate().await.status.success());
    assert!(receiver.logs().iter().any(|line| line.attributes.contains_key("status")));

    let receiver = OtlpReceiver::start(OtlpTransport::Http).await;
    let server = exporting(&receiver).env("OTEL_LOGS_EXPORTER", "none").start().await;
    let login = json!({ "email": "ada@example.com", "password": "wrong password" });
    server.client().post("/api/v1/auth/login", login).await.expect(401);
    eventually("a span", async || !receiver.spans().is_empty()).await;
    assert!(server.terminate().await.status.success());
    assert!(receiver.logs().is_empty());
}
