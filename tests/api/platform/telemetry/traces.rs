//! Which spans there are, and how they are connected.

use std::process::Stdio;

use insula_tests::{FakeSmtp, Inbox, OtlpReceiver, OtlpTransport, Process, Server, SpanKind, TestEnv, redis};
use serde_json::json;

use super::{FORGOT, exporting, forget_password, only, spans_of};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN: &str = "b7ad6b7169203331";

fn sampled() -> String {
    format!("00-{TRACE}-{CLIENT_SPAN}-01")
}

async fn one_trace(transport: OtlpTransport) {
    let receiver = OtlpReceiver::start(transport).await;
    let server = exporting(&receiver).with_mail().start().await;
    server.client().register("ada@example.com").await;
    let forgot = server.client().post(FORGOT, json!({ "email": "ada@example.com" }));
    forgot.header("traceparent", &sampled()).header("tracestate", "vendor=x").await.expect(202);
    let request = format!("POST {FORGOT}");
    let names = [&*request, "send mail", "process mail", "smtp send"];
    let spans = spans_of(&receiver, TRACE, &names).await;
    let request = only(&spans, SpanKind::Server, &request);
    assert_eq!((&*request.parent_id, &*request.trace_state), (CLIENT_SPAN, "vendor=x"));
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", FORGOT),
        ("url.scheme", "http"),
        ("http.response.status_code", "202"),
    ] {
        assert_eq!(request.attribute(name), value, "{name}");
    }
    let send = only(&spans, SpanKind::Producer, "send mail");
    let process = only(&spans, SpanKind::Consumer, "process mail");
    let smtp = only(&spans, SpanKind::Client, "smtp send");
    for (child, parent) in [(send, request), (process, send), (smtp, process)] {
        assert_eq!(child.parent_id, parent.span_id, "{} in {}", child.name, parent.name);
    }
    for (span, operation) in [(send, "send"), (process, "process")] {
        assert_eq!(span.attribute("messaging.operation.name"), operation);
        assert_eq!(span.attribute("messaging.destination.name"), "mail");
        assert_eq!(span.attribute("insula.job.kind"), "send_password_reset");
        assert_eq!(span.attribute("messaging.message.id"), send.attribute("messaging.message.id"));
    }
    assert_eq!(smtp.attribute("server.address"), "127.0.0.1");
    assert!([request, send, process, smtp].iter().all(|span| !span.is_error), "{spans:#?}");
    let mail = Inbox::of(&server).await.last("send_password_reset").await;
    assert!(mail.source.contains(&format!("Traceparent: 00-{TRACE}-{}-01", smtp.span_id)), "{}", mail.source);

    let insert = only(&spans, SpanKind::Client, "INSERT outbox");
    assert_eq!(insert.parent_id, request.span_id);
    let system = if server.test_env().is_postgres() { "postgresql" } else { "sqlite" };
    for (name, value) in
        [("db.system.name", system), ("db.operation.name", "INSERT"), ("db.collection.name", "outbox")]
    {
        assert_eq!(insert.attribute(name), value, "{name}");
    }
    for name in ["BEGIN", "COMMIT"] {
        assert!(spans.iter().any(|span| span.name == name), "{name} in {spans:#?}");
    }
    let scripts = spans.iter().filter(|span| span.attribute("db.system.name") == "redis").count();
    assert_eq!(scripts > 0, redis().is_some(), "{spans:#?}");
}

#[tokio::test]
async fn one_trace_reaches_from_the_request_to_the_e_mail_over_grpc() {
    one_trace(OtlpTransport::Grpc).await;
}

#[tokio::test]
async fn one_trace_reaches_from_the_request_to_the_e_mail_over_http() {
    one_trace(OtlpTransport::Http).await;
}

#[tokio::test]
async fn a_separate_worker_continues_the_trace() {
    let receiver = OtlpReceiver::start(OtlpTransport::Http).await;
    let (env, smtp) = (TestEnv::migrated().await, FakeSmtp::start().await);
    let url = format!("smtp://user:hunter2@{}", smtp.address());
    let server = exporting(&receiver).test_env(&env).env("INSULA_SMTP_URL", &url).argument("--no-worker");
    let server = server.start().await;
    let mut worker = env.command(&["worker"]);
    worker.envs(receiver.settings()).env("OTEL_SERVICE_NAME", "postman").env("INSULA_SMTP_URL", &url);
    worker.env("INSULA_OPS_BIND", "127.0.0.1:0").stdout(Stdio::null()).stderr(Stdio::null());
    let _worker = Process::start(&mut worker, "TERM").expect("a worker");
    server.client().register("ada@example.com").await;
    forget_password(&server, &sampled()).await;
    let spans = spans_of(&receiver, TRACE, &["send mail", "process mail", "smtp send"]).await;
    let (send, process) =
        (only(&spans, SpanKind::Producer, "send mail"), only(&spans, SpanKind::Consumer, "process mail"));
    assert_eq!(process.parent_id, send.span_id);
    assert!(receiver.text().contains("postman"), "the service name of the worker");
}

#[tokio::test]
async fn a_span_names_the_user_and_the_organization() {
    let receiver = OtlpReceiver::start(OtlpTransport::Http).await;
    let server = exporting(&receiver).start().await;
    let ada = server.client().register("ada@example.com").await;
    let acme = ada.create_organization("acme").await;
    let projects = ada.get("/api/v1/organizations/acme/projects").header("traceparent", &sampled());
    projects.await.expect(200);
    let name = "GET /api/v1/organizations/{org}/projects";
    let spans = spans_of(&receiver, TRACE, &[name]).await;
    let request = only(&spans, SpanKind::Server, name);
    let me = ada.get("/api/v1/users/me").await.expect(200);
    assert_eq!(request.attribute("user.id"), me["id"].as_str().unwrap());
    assert_eq!(request.attribute("insula.organization.id"), acme.id);
    assert!(spans.iter().any(|span| span.name == "SELECT projects"), "{spans:#?}");
}

#[tokio::test]
async fn hashing_a_password_is_two_spans() {
    let receiver = OtlpReceiver::start(OtlpTransport::Http).await;
    let server = exporting(&receiver).start().await;
    let wrong = json!({ "email": "ada@example.com", "password": "wrong password" });
    let login = server.client().post("/api/v1/auth/login", wrong).header("traceparent", &sampled());
    login.await.problem(401, "INVALID_CREDENTIALS");
    let name = "POST /api/v1/auth/login";
    let spans = spans_of(&receiver, TRACE, &[name, "password_hash.wait", "password_hash"]).await;
    let request = only(&spans, SpanKind::Server, name);
    assert!(!request.is_error, "a refused request is no error of the server");
    for step in ["password_hash.wait", "password_hash"] {
        assert_eq!(only(&spans, SpanKind::Internal, step).parent_id, request.span_id);
    }
}

#[tokio::test]
async fn a_malformed_traceparent_begins_a_new_trace() {
    let receiver = OtlpReceiver::start(OtlpTransport::Http).await;
    let server = exporting(&receiver).start().await;
    let zero = "0".repeat(32);
    for malformed in ["nonsense", &format!("00-{TRACE}"), &format!("00-{zero}-{CLIENT_SPAN}-01")] {
        let me = server.client().get("/api/v1/users/me").header("traceparent", malformed);
        let problem = me.header("tracestate", "vendor=x").await.problem(401, "UNAUTHENTICATED");
        let trace = problem["trace_id"].as_str().unwrap();
        let name = "GET /api/v1/users/me";
        let spans = spans_of(&receiver, trace, &[name]).await;
        let request = only(&spans, SpanKind::Server, name);
        assert_eq!((&*request.parent_id, &*request.trace_state), ("", ""));
        assert!(![TRACE, &zero].contains(&trace), "{trace}");
    }
}

/// Sends a request in each of these traces, and one that is exported; returns the traces that were exported.
async fn exported(server: &Server, receiver: &OtlpReceiver, flags: &[&str]) -> Vec<bool> {
    let trace = |number: usize| format!("{number:032x}");
    for (number, flags) in (1..).zip(flags) {
        let traceparent = format!("00-{}-{CLIENT_SPAN}-{flags}", trace(number));
        server.client().get("/api/v1/users/me").header("traceparent", &traceparent).await.expect(401);
    }
    server.client().get("/healthz").await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let spans = receiver.spans();
    (1..=flags.len()).map(|number| spans.iter().any(|span| span.trace_id == trace(number))).collect()
}

#[tokio::test]
async fn the_sampler_decides_which_traces_are_exported() {
    for (sampler, share, expected) in [
        ("parentbased_always_on", "1", [true, false]),
        ("parentbased_traceidratio", "0", [true, false]),
        ("always_on", "1", [true, true]),
        ("traceidratio", "0", [false, false]),
        ("always_off", "1", [false, false]),
    ] {
        let receiver = OtlpReceiver::start(OtlpTransport::Http).await;
        let builder = exporting(&receiver).env("OTEL_TRACES_SAMPLER", sampler);
        let server = builder.env("OTEL_TRACES_SAMPLER_ARG", share).start().await;
        assert_eq!(exported(&server, &receiver, &["01", "00"]).await, expected, "{sampler} {share}");
        let has_root = receiver.spans().iter().any(|span| span.parent_id.is_empty());
        assert_eq!(has_root, sampler.ends_with("always_on"), "{sampler} {share}");
    }
}
