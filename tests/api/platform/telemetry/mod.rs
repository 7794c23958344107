//! Traces, metrics and logs that are exported to an OpenTelemetry collector (OTLP).

mod collectors;
mod log_files;
mod logs;
mod redaction;
mod settings;
mod traces;

use insula_tests::{Builder, OtlpReceiver, ReceivedSpan, Server, SpanKind, eventually, redis};
use serde_json::json;

const FORGOT: &str = "/api/v1/auth/password/forgot";

/// A server that exports to `receiver`, and uses Redis if there is one.
fn exporting(receiver: &OtlpReceiver) -> Builder {
    let builder = Server::builder().settings(receiver.settings());
    match redis() {
        // A busy machine needs a longer timeout.
        Some(redis) => builder.env("REDIS_URL", &format!("redis://{redis}")).env("INSULA_REDIS_TIMEOUT", "5"),
        None => builder,
    }
}

/// Requests an e-mail that resets ada's password.
async fn forget_password(server: &Server, traceparent: &str) {
    let forgot = server.client().post(FORGOT, json!({ "email": "ada@example.com" }));
    forgot.header("traceparent", traceparent).await.expect(202);
}

/// The spans of a trace, as soon as there is one of each of these names.
async fn spans_of(receiver: &OtlpReceiver, trace: &str, names: &[&str]) -> Vec<ReceivedSpan> {
    let spans =
        || receiver.spans().into_iter().filter(|span| span.trace_id == trace).collect::<Vec<ReceivedSpan>>();
    eventually(&format!("spans {names:?}"), async || {
        let spans = spans();
        names.iter().all(|name| spans.iter().any(|span| span.name == *name))
    })
    .await;
    spans()
}

/// The only span of this kind and name.
fn only<'a>(spans: &'a [ReceivedSpan], kind: SpanKind, name: &str) -> &'a ReceivedSpan {
    let found: Vec<_> = spans.iter().filter(|span| span.kind == kind && span.name == name).collect();
    let [only] = &*found else { panic!("{} spans {name} among {spans:#?}", found.len()) };
    only
}
