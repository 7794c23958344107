//! One span and one log line per request, and the handling of panics.

use std::{
    any::Any,
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, OnceLock},
    task::Poll,
    time::Instant,
};

use insula_core::runtime::telemetry::{metrics, traces};
use poem::{Endpoint, PathPattern, Request, Response, http::StatusCode};
use tracing::Instrument;

use crate::{
    operations::Operation,
    request::id::{RequestId, traceparent},
};

/// The user who sent the request. [`access`] puts it into the request, and the extractor of the caller sets
/// it.
#[derive(Clone, Debug, Default)]
pub struct Subject(Arc<OnceLock<String>>);

impl Subject {
    /// Records that `request` comes from `user`.
    pub fn note(request: &Request, user: impl Display + Copy) {
        if let Some(Self(subject)) = request.data() {
            subject.get_or_init(|| user.to_string());
        }
    }
}

/// How an access line shows an unknown path, which has no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPaths {
    /// The path itself, so that developers see typing errors.
    Shown,
    /// `-`, because an unknown path can contain confidential data.
    Hidden,
}

/// Maximum number of characters of an unknown path in the log.
const MAX_PATH: usize = 200;

impl UnknownPaths {
    fn line(self, path: &str) -> String {
        match self {
            Self::Hidden => "-".to_owned(),
            Self::Shown => path.chars().take(MAX_PATH).flat_map(char::escape_default).collect(),
        }
    }
}

/// Middleware: a span around the request, and one access line when its response is known.
///
/// The line is outside of the span and has the request id and the trace id itself. Of the request it contains only the
/// template of the path, except for `unknown` paths: ids of other users, query strings, headers and bodies
/// must not be logged.
///
/// # Errors
/// Those of `endpoint`.
pub async fn access<E>(
    unknown: UnknownPaths,
    endpoint: Arc<E>,
    mut request: Request,
) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    let (started, subject) = (Instant::now(), Subject::default());
    let (id, method) = (RequestId::of(&request), request.method().clone());
    let operation = request.data::<Arc<Operation>>().cloned();
    let sent = request.uri().path().to_owned();
    let active = metrics::ActiveRequest::start(method.as_str());
    request.set_data(subject.clone());
    let route = operation.as_ref().map(|operation| &*operation.template);
    let state = request.header("tracestate");
    let (trace_span, trace) = traces::request(method.as_str(), route, traceparent(&request), state);
    request.set_data(trace);
    let (trace_id, span_id) = (trace.trace_id().to_string(), trace.span_id().to_string());
    let span = tracing::info_span!("request", request_id = &*id, trace_id, span_id);
    let response = trace_span.around(endpoint.call(request).instrument(span)).await?;
    drop(active);
    let pattern = response.data::<PathPattern>();
    let template = match &operation {
        Some(operation) => Some(&*operation.template),
        None => pattern.map(|pattern| &*pattern.0),
    };
    let (seconds, status) = (started.elapsed().as_secs_f64(), response.status().as_u16());
    traces::answered(&trace_span, status);
    metrics::request_answered(method.as_str(), template, status, seconds);
    let ms = (seconds * 10_000.0).round() / 10.0;
    let path = template.map_or_else(|| unknown.line(&sent), str::to_owned);
    tracing::info!(
        target: "insula::access",
        method = metrics::known_method(method.as_str()),
        path,
        status,
        ms,
        request_id = &*id,
        trace_id,
        span_id,
        user_id = subject.0.get(),
    );
    Ok(response)
}

/// Middleware: a panic of `endpoint` fails only this request.
///
/// # Errors
/// `INTERNAL_ERROR`, and those of `endpoint`.
pub async fn catch_panic<E>(endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    let mut call = pin!(endpoint.call(request));
    std::future::poll_fn(|cx| {
        // The future is dropped immediately, and its shared state is behind locks that report poisoning.
        catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))).unwrap_or_else(|panic| {
            let text = format!("a handler panicked: {}", text_of(&*panic));
            Poll::Ready(Err(poem::Error::from_string(text, StatusCode::INTERNAL_SERVER_ERROR)))
        })
    })
    .await
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests;
