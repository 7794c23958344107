//! The `OTEL_*` settings.

use insula_tests::{OtlpReceiver, OtlpTransport, Server, TestEnv, TlsProxy, eventually};

use super::exporting;

#[tokio::test]
async fn a_wrong_setting_is_named_at_the_start() {
    let env = TestEnv::migrated().await;
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:hunter2@localhost:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://localhost"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "?"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "udp"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_RESOURCE_ATTRIBUTES", "environment"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_TRACES_EXPORTER", "jaeger"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_LOGS_EXPORTER", "console"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "localhost:4318"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_SDK_DISABLED", "perhaps"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ] {
        for command in ["serve", "worker"] {
            let output = env.insula(&[command], &[(name, value)]);
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{name}: {text}");
            assert!(text.contains(&format!("insula: {name}: expected")), "{name}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}

#[test]
fn headers_are_hidden_and_empty_values_are_unset() {
    let envs = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", ""),
        ("OTEL_TRACES_SAMPLER", ""),
    ];
    let print = insula_tests::insula(&["config", "print"], &envs);
    let print = String::from_utf8(print.stdout).unwrap();
    assert!(print.contains("OTEL_EXPORTER_OTLP_HEADERS") && !print.contains("hunter2"), "{print}");
    let check = insula_tests::insula(&["config", "check"], &envs);
    assert!(check.status.success(), "{check:?}");
}

#[tokio::test]
async fn headers_and_attributes_are_sent_with_traces_and_metrics() {
    for transport in [OtlpTransport::Grpc, OtlpTransport::Http] {
        let receiver = OtlpReceiver::start(transport).await;
        let builder = exporting(&receiver)
            .env("OTEL_METRIC_EXPORT_INTERVAL", "100")
            .env("OTEL_EXPORTER_OTLP_HEADERS", "x-team=tea%20room")
            .env("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-team=coffee")
            .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=kitchen,service.name=ignored")
            .env("OTEL_SERVICE_NAME", "kettle");
        let server = builder.start().await;
        server.client().get("/healthz").await.expect(200);
        eventually("traces and metrics", async || {
            !receiver.spans().is_empty() && !receiver.metrics().is_empty()
        })
        .await;
        let text = receiver.text();
        for sent in ["tea room", "coffee", "kitchen", "kettle", "service.instance.id", "service.version"] {
            assert!(text.contains(sent), "{sent} is not in {text}");
        }
        assert!(!text.contains("ignored"));
        let prometheus = server.ops_client().await.get("/metrics").await;
        assert!(prometheus.text().contains("http_server_request_duration_seconds_count"));
    }
}

#[tokio::test]
async fn tls_trusts_the_configured_authorities_and_no_others() {
    for transport in [OtlpTransport::Grpc, OtlpTransport::Http] {
        let receiver = OtlpReceiver::start(transport).await;
        let proxy = TlsProxy::to(receiver.address()).await;
        let endpoint = format!("https://{}", proxy.address());
        let secure = || exporting(&receiver).env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
        let distrustful = secure().start().await;
        distrustful.client().get("/healthz").await.expect(200);
        eventually("a failed export", async || distrustful.log().contains("cannot export traces")).await;
        assert_eq!(receiver.requests(), 0, "{transport:?}");
        let server = secure().env("INSULA_CA", proxy.authority()).start().await;
        server.client().get("/healthz").await.expect(200);
        eventually("a span", async || !receiver.spans().is_empty()).await;
    }
}

#[tokio::test]
async fn nothing_is_exported_unless_it_is_asked_for() {
    let receiver = OtlpReceiver::start(OtlpTransport::Http).await;
    for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")] {
        let builder = Server::builder().settings(receiver.settings()).env(off.0, off.1);
        let server = builder.env("OTEL_METRIC_EXPORT_INTERVAL", "50").start().await;
        server.client().get("/healthz").await.expect(200);
        assert!(server.terminate().await.status.success());
        assert_eq!(receiver.requests(), 0, "{off:?}");
    }
    let metrics = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRIC_EXPORT_INTERVAL", "50")];
    let server = metrics.iter().fold(exporting(&receiver), |builder, (name, value)| builder.env(name, value));
    let server = server.start().await;
    server.client().get("/healthz").await.expect(200);
    eventually("metrics", async || !receiver.metrics().is_empty()).await;
    assert!(receiver.spans().is_empty());
}
