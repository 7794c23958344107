//! One span and one line in the log per request; and a panic is one more failure.

use std::{
    any::Any,
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, OnceLock},
    task::Poll,
    time::Instant,
};

use insula_core::telemetry::metrics;
use poem::{Endpoint, PathPattern, Request, Response, http::StatusCode};
use tracing::Instrument;

use crate::{headers::RequestId, operation::Operation};

/// Who asked, once somebody found out: put into the request by [`access`], filled in by the extractor of the caller.
#[derive(Clone, Debug, Default)]
pub struct Subject(Arc<OnceLock<String>>);

impl Subject {
    /// Notes that `request` comes from `user`.
    pub fn note(request: &Request, user: impl Display + Copy) {
        if let Some(Self(subject)) = request.data() {
            subject.get_or_init(|| user.to_string());
        }
    }
}

/// Middleware: a span around the request, and one access line when its answer is known.
///
/// The line names the path by its template, and nothing else of what the client sent: ids of other people, query
/// strings, headers and bodies have no business in a log.
///
/// # Errors
/// Those of `endpoint`.
pub async fn access<E>(endpoint: Arc<E>, mut request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    let (started, subject) = (Instant::now(), Subject::default());
    let (id, method) = (RequestId::of(&request), request.method().clone());
    let operation = request.data::<Arc<Operation>>().cloned();
    request.set_data(subject.clone());
    let span = tracing::info_span!("request", request_id = &*id);
    async move {
        let response = endpoint.call(request).await?;
        let pattern = response.data::<PathPattern>();
        let template = match &operation {
            Some(operation) => Some(&*operation.template),
            None => pattern.map(|pattern| &*pattern.0),
        };
        let (seconds, status) = (started.elapsed().as_secs_f64(), response.status().as_u16());
        metrics::request_answered(method.as_str(), template, status, seconds);
        let ms = (seconds * 10_000.0).round() / 10.0;
        tracing::info!(
            target: "insula::access",
            method = %method,
            path = template.unwrap_or("-"),
            status,
            ms,
            request_id = &*id,
            user_id = subject.0.get(),
        );
        Ok(response)
    }
    .instrument(span)
    .await
}

/// Middleware: a panic of `endpoint` is a failure of this request only.
///
/// # Errors
/// `INTERNAL_ERROR`, and those of `endpoint`.
pub async fn catch_panic<E>(endpoint: Arc<E>, request: Request) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    let mut call = pin!(endpoint.call(request));
    std::future::poll_fn(|cx| {
        // The future is dropped right after, and what it shares with others is behind locks that say so.
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
