//! Distributed traces: spans of requests, jobs, database statements, Redis, password hashes and e-mails.
//!
//! Names and attributes follow the semantic conventions of OpenTelemetry. A span contains no text that a client sent and no
//! value of a statement. Before [`start`], and in a trace that is not sampled, a span is [`TraceSpan::NONE`]: nothing is
//! allocated or formatted for it. The span of a request or a job is the current one while [`TraceSpan::around`] runs its
//! future; the spans below it are its children.

mod span_export;
mod in_span;
mod statement;

use std::{borrow::Cow, sync::OnceLock, time::Duration};

use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanBuilder, SpanKind, Status, TraceContextExt, TraceState, Tracer as _,
        TracerProvider as _,
    },
};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider, SpanExporter},
};

pub use self::in_span::InSpan;
use self::span_export::{FinishedSpans, SpanQueue};
use crate::{
    base::{
        ids::{JobId, OrgId, UserId},
        trace_context::TraceContext,
    },
    runtime::{
        config::{Config, RootSampler},
        telemetry::{
            batch::{self, BatchLimits, RecordExport},
            metrics::known_method,
        },
    },
};

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Maximum length of a `tracestate`, which vendors should propagate (W3C Trace Context §3.3.1.5). A longer one is ignored.
const MAX_TRACESTATE: usize = 512;

/// The export of finished spans of a process.
#[derive(Debug)]
pub(super) struct SpanExport<E: SpanExporter + 'static>(RecordExport<FinishedSpans<E>>);

impl<E: SpanExporter + 'static> SpanExport<E> {
    /// Exports the spans that wait, within `limit`. Later spans are dropped.
    pub(super) async fn finish(self, limit: Duration) {
        self.0.finish(limit).await;
    }
}

/// Starts to record spans, and to send them to `exporter` in the background. Further calls do nothing.
pub(super) fn start<E: SpanExporter + 'static>(
    config: &Config,
    mut exporter: E,
    resource: Resource,
    limits: BatchLimits,
) -> SpanExport<E> {
    exporter.set_resource(&resource);
    let (queue, export) = batch::open(FinishedSpans(exporter), limits);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(SpanQueue(queue))
        .with_sampler(sampler(config))
        .with_resource(resource)
        .build();
    TRACER.get_or_init(|| provider.tracer("insula"));
    SpanExport(export)
}

fn sampler(config: &Config) -> Sampler {
    let root = match config.otel_traces_sampler.root {
        RootSampler::All => Sampler::AlwaysOn,
        RootSampler::None => Sampler::AlwaysOff,
        RootSampler::Share => Sampler::TraceIdRatioBased(config.otel_traces_sampler_arg.0),
    };
    match config.otel_traces_sampler.follows_parent {
        true => Sampler::ParentBased(Box::new(root)),
        false => root,
    }
}

/// A span, which ends when it is dropped. [`TraceSpan::NONE`] records nothing.
#[derive(Debug)]
pub struct TraceSpan(Option<Box<Context>>);

impl TraceSpan {
    /// No span.
    pub const NONE: Self = Self(None);

    /// The future `work`, during which this is the current span.
    pub fn around<F>(&self, work: F) -> InSpan<F> {
        InSpan::new(work, self.0.as_deref().cloned())
    }

    /// Records that the operation failed, for a reason that is one of a few words.
    pub fn fail(&self, reason: impl Into<Cow<'static, str>>) {
        self.record(|span| {
            span.set_attribute(KeyValue::new("error.type", reason.into()));
            span.set_status(Status::error(""));
        });
    }

    /// Records a failure if `outcome` is an error.
    pub fn finish<T, E>(self, outcome: Result<T, E>) -> Result<T, E> {
        if outcome.is_err() {
            self.fail("_OTHER");
        }
        outcome
    }

    /// The context to pass on to other processes; `None` for no span.
    pub fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().map(|context| TraceContext::from(context.span().span_context()))
    }

    fn record(&self, record: impl FnOnce(opentelemetry::trace::SpanRef<'_>)) {
        if let Some(context) = &self.0 {
            record(context.span());
        }
    }

    /// A span with a parent in another process, or with none, and the context of what it causes.
    fn entry(
        tracer: &SdkTracer,
        kind: SpanKind,
        parent: Option<TraceContext>,
        state: TraceState,
    ) -> (Self, TraceContext) {
        let parent = parent.map(|parent| parent.remote_parent(state));
        let parent = parent.map(|parent| Context::new().with_remote_span_context(parent)).unwrap_or_default();
        let span = tracer.build_with_context(SpanBuilder::from_name("").with_kind(kind), &parent);
        let context = TraceContext::from(span.span_context());
        match span.is_recording() {
            true => (Self(Some(Box::new(Context::new().with_span(span)))), context),
            false => (Self::NONE, context),
        }
    }

    /// A child of the current span; none without a current span.
    fn child(kind: SpanKind, describe: impl FnOnce() -> (Cow<'static, str>, Vec<KeyValue>)) -> Self {
        let Some(tracer) = TRACER.get() else { return Self::NONE };
        Context::map_current(|parent| {
            if !parent.has_active_span() {
                return Self::NONE;
            }
            let (name, attributes) = describe();
            let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
            let span = tracer.build_with_context(builder, parent);
            Self(Some(Box::new(parent.with_span(span))))
        })
    }
}

/// Begins the span of a request, and returns the context of what it causes. Without export, that is the context that the
/// client sent, or a new one. `tracestate` is the header of the client.
pub fn request(
    method: &str,
    route: Option<&str>,
    parent: Option<TraceContext>,
    tracestate: Option<&str>,
) -> (TraceSpan, TraceContext) {
    let Some(tracer) = TRACER.get() else {
        return (TraceSpan::NONE, parent.unwrap_or_else(TraceContext::random));
    };
    let state = tracestate.filter(|state| parent.is_some() && state.len() <= MAX_TRACESTATE);
    let state = state.and_then(|state| state.parse().ok()).unwrap_or_default();
    let (span, context) = TraceSpan::entry(tracer, SpanKind::Server, parent, state);
    span.record(|span| {
        let method = known_method(method);
        let name = if method == "_OTHER" { "HTTP" } else { method };
        span.set_attributes([
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.scheme", "http"),
        ]);
        match route {
            Some(route) => {
                span.set_attribute(KeyValue::new("http.route", route.to_owned()));
                span.update_name(format!("{name} {route}"));
            }
            None => span.update_name(name),
        }
    });
    (span, context)
}

/// Records the status of a response.
pub fn answered(span: &TraceSpan, status: u16) {
    span.record(|span| {
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    });
    if status >= 500 {
        span.fail(status.to_string());
    }
}

/// Records the user of the current span.
pub fn set_user(user: UserId) {
    annotate(|| KeyValue::new("user.id", user.to_string()));
}

/// Records the organization of the current span.
pub fn set_org(org: OrgId) {
    annotate(|| KeyValue::new("insula.organization.id", org.to_string()));
}

fn annotate(attribute: impl FnOnce() -> KeyValue) {
    if TRACER.get().is_some() {
        Context::map_current(|current| {
            if current.has_active_span() {
                current.span().set_attribute(attribute());
            }
        });
    }
}

/// What a job is, for its spans.
#[derive(Clone, Copy, Debug)]
pub struct JobLabels<'a> {
    /// Id of the job.
    pub id: JobId,
    /// Name of its queue.
    pub queue: &'a str,
    /// Kind of job.
    pub kind: &'a str,
}

impl JobLabels<'_> {
    fn attributes(&self, operation: &'static str) -> Vec<KeyValue> {
        vec![
            KeyValue::new("messaging.system", "insula"),
            KeyValue::new("messaging.operation.name", operation),
            KeyValue::new("messaging.operation.type", operation),
            KeyValue::new("messaging.destination.name", self.queue.to_owned()),
            KeyValue::new("messaging.message.id", self.id.to_string()),
            KeyValue::new("insula.job.kind", self.kind.to_owned()),
        ]
    }
}

/// Begins the span of creating a job.
pub fn send_job(job: JobLabels<'_>) -> TraceSpan {
    TraceSpan::child(SpanKind::Producer, || (format!("send {}", job.queue).into(), job.attributes("send")))
}

/// Begins the span of an attempt at a job, as a child of the span that created it. Returns the context of what the attempt
/// causes, which is `created` without export.
pub fn process_job(
    job: JobLabels<'_>,
    org: OrgId,
    attempt: i32,
    created: TraceContext,
) -> (TraceSpan, TraceContext) {
    let Some(tracer) = TRACER.get() else { return (TraceSpan::NONE, created) };
    let (span, context) = TraceSpan::entry(tracer, SpanKind::Consumer, Some(created), TraceState::default());
    span.record(|span| {
        span.update_name(format!("process {}", job.queue));
        span.set_attributes(job.attributes("process"));
        span.set_attribute(KeyValue::new("insula.job.attempt", i64::from(attempt)));
        if org != OrgId::PLATFORM {
            span.set_attribute(KeyValue::new("insula.organization.id", org.to_string()));
        }
    });
    (span, context)
}

/// Begins the span of sending an e-mail to the mail server `host`.
pub fn smtp(host: &str, port: u16) -> TraceSpan {
    TraceSpan::child(SpanKind::Client, || {
        let attributes = vec![
            KeyValue::new("network.protocol.name", "smtp"),
            KeyValue::new("server.address", host.to_owned()),
            KeyValue::new("server.port", i64::from(port)),
        ];
        ("smtp send".into(), attributes)
    })
}

/// Begins the span of a database statement, of which only the operation and the table are recorded. `system`: `postgresql` or
/// `sqlite`.
pub fn database(system: &'static str, sql: &str) -> TraceSpan {
    TraceSpan::child(SpanKind::Client, || {
        let (operation, table) = statement::summary(sql);
        let mut attributes = vec![
            KeyValue::new("db.system.name", system),
            KeyValue::new("db.operation.name", operation.clone()),
        ];
        let name = match table {
            Some(table) => {
                attributes.push(KeyValue::new("db.collection.name", table.to_owned()));
                format!("{operation} {table}")
            }
            None => operation,
        };
        (name.into(), attributes)
    })
}

/// Begins the span of a Redis script.
pub fn redis() -> TraceSpan {
    TraceSpan::child(SpanKind::Client, || {
        let attributes =
            vec![KeyValue::new("db.system.name", "redis"), KeyValue::new("db.operation.name", "EVALSHA")];
        ("EVALSHA".into(), attributes)
    })
}

/// Begins the span of a step inside this process.
pub fn internal(name: &'static str) -> TraceSpan {
    TraceSpan::child(SpanKind::Internal, || (name.into(), Vec::new()))
}
