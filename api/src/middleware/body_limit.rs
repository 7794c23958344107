//! Limits the size and time of request bodies, for all extractors, and the time of the whole request.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use insula_core::base::error::ErrorCode;
use pin_project_lite::pin_project;
use poem::{Endpoint, Request, Response, http::header};
use tokio::time::{Sleep, sleep, timeout};

use crate::{problem::Problem, server::Limits};

/// Where the body stores why it failed, because extractors see only an I/O error.
type BodyFailure = Arc<OnceLock<ErrorCode>>;

pin_project! {
    /// A body that fails when more than `left` bytes arrive or `deadline` passes. It counts the actual bytes,
    /// so that chunked and HTTP/2 bodies are limited like any other.
    struct LimitedBody<B> {
        #[pin]
        inner: B,
        #[pin]
        deadline: Sleep,
        left: u64,
        failure: BodyFailure,
    }
}

impl<B> HttpBody for LimitedBody<B>
where
    B: HttpBody<Data = Bytes, Error = io::Error>,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.project();
        let fail = |code: ErrorCode| {
            Poll::Ready(Some(Err(io::Error::other(this.failure.get_or_init(|| code).as_str()))))
        };
        // Check the deadline first: otherwise a client that always has one more byte ready could avoid it.
        if this.deadline.poll(cx).is_ready() {
            return fail(ErrorCode::RequestTimeout);
        }
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            match this.left.checked_sub(bytes) {
                Some(left) => *this.left = left,
                None => return fail(ErrorCode::PayloadTooLarge),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Wraps the body of `request` in place.
fn limit_body(request: &mut Request, bytes: u64, time: Duration) -> BodyFailure {
    let failure = BodyFailure::default();
    let inner: BoxBody<Bytes, io::Error> = request.take_body().into();
    let body = LimitedBody { inner, deadline: sleep(time), left: bytes, failure: failure.clone() };
    request.set_body(poem::Body::from(BoxBody::new(body)));
    failure
}

/// Middleware: limits the size and time of the body and the time to the response; 413 and 408 otherwise.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE`, `REQUEST_TIMEOUT`, and those of `endpoint`.
pub(crate) async fn bounded<E>(
    endpoint: Arc<E>,
    mut request: Request,
    limits: Limits,
) -> poem::Result<Response>
where
    E: Endpoint<Output = Response>,
{
    let refuse = |code: ErrorCode| Err(Problem(code.refuse()).into());
    let declared = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limits.body_bytes) {
        return refuse(ErrorCode::PayloadTooLarge);
    }
    let failure = limit_body(&mut request, limits.body_bytes, limits.body_time);
    let answer = timeout(limits.request_time, endpoint.call(request)).await;
    // Report why the body failed instead of the error that the extractor made of it.
    match (failure.get(), answer) {
        (Some(code), _) => refuse(*code),
        (None, Ok(answer)) => answer,
        (None, Err(_)) => refuse(ErrorCode::RequestTimeout),
    }
}
