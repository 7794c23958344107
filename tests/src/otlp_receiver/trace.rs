//! Traces that a test starts, to find the spans of one request.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{OtlpReceiver, SpanKind};

static LAST_TRACE: AtomicU64 = AtomicU64::new(0);

/// A sampled trace, which a request continues if it has [`TestTrace::traceparent`] as its header.
pub struct TestTrace {
    id: String,
    traceparent: String,
}

impl TestTrace {
    /// A new trace.
    #[expect(clippy::new_without_default, reason = "each one is different")]
    pub fn new() -> Self {
        let id = format!("{:032x}", LAST_TRACE.fetch_add(1, Ordering::Relaxed) + 1);
        let traceparent = format!("00-{id}-b7ad6b7169203331-01");
        Self { id, traceparent }
    }

    /// The value of the header `traceparent`.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// The names of the statements that the request sent to the database, such as `INSERT outbox` and `COMMIT`, in order.
    /// `None` until the receiver has the span of the request.
    pub fn statements(&self, receiver: &OtlpReceiver) -> Option<Vec<String>> {
        let spans: Vec<_> = receiver.spans().into_iter().filter(|span| span.trace_id == self.id).collect();
        let request = spans.iter().find(|span| span.kind == SpanKind::Server)?;
        let is_statement = |system: &str| ["postgresql", "sqlite"].contains(&system);
        let of_request = spans.iter().filter(|span| span.parent_id == request.span_id);
        let statements = of_request.filter(|span| is_statement(span.attribute("db.system.name")));
        Some(statements.map(|span| span.name.clone()).collect())
    }
}
