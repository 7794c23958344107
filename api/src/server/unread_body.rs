//! The part of a request body that is unread when the response is ready.
//!
//! On HTTP/1.1 it precedes the next request of the connection, and must never be read as that request
//! (CWE-444). A short rest is read and dropped, so that the connection can continue. Otherwise the response
//! announces the end of the connection (RFC 9112 §9.3, §9.6). On HTTP/2 the stream of a long rest is reset
//! with `NO_ERROR` (RFC 9113 §8.1). Many clients fail if that happens while they send, so a short rest is
//! read there, too.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::BoxBody};
use poem::{Request, http::header};
use tokio::{sync::oneshot, time::timeout};

/// Maximum number of unread bytes that are read and dropped.
const MAX_DRAINED: u64 = 64 * 1024;

/// Time for the rest of a body to arrive after the response is ready.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The rest of a body that the application did not read.
struct UnreadRest {
    inner: BoxBody<Bytes, io::Error>,
    /// Whether any of it was read. If the client waits for `100 Continue`, that tells the client to send.
    is_read: bool,
    is_broken: bool,
}

/// A body that is returned when its reader drops it.
struct ReturnedBody {
    /// The rest of the body. `None`: it was read to its end.
    rest: Option<UnreadRest>,
    sender: Option<oneshot::Sender<UnreadRest>>,
}

/// Receives the rest of a body after the application has dropped the request.
pub(super) struct Unread {
    rest: oneshot::Receiver<UnreadRest>,
    /// Whether the client waits for `100 Continue` before it sends (RFC 9110 §10.1.1).
    waits: bool,
}

/// Wraps the body of `request` in place.
pub(super) fn watch(request: &mut Request) -> Unread {
    let (sender, rest) = oneshot::channel();
    let inner = request.take_body().into();
    let body = ReturnedBody {
        rest: Some(UnreadRest { inner, is_read: false, is_broken: false }),
        sender: Some(sender),
    };
    request.set_body(poem::Body::from(BoxBody::new(body)));
    Unread { rest, waits: request.headers().contains_key(header::EXPECT) }
}

impl Unread {
    /// Reads the rest, if it is short and arrives soon. Returns whether nothing is left.
    pub(super) async fn drain(mut self) -> bool {
        match self.rest.try_recv() {
            Ok(rest) if rest.is_broken || (self.waits && !rest.is_read) => false,
            Ok(rest) => timeout(DRAIN_TIMEOUT, rest.read()).await.unwrap_or(false),
            Err(oneshot::error::TryRecvError::Closed) => true,
            // Its reader still has it, and outlives the head of the response.
            Err(oneshot::error::TryRecvError::Empty) => false,
        }
    }
}

impl UnreadRest {
    /// Reads up to the maximum number of bytes. Returns whether the end was reached.
    async fn read(mut self) -> bool {
        let mut left = MAX_DRAINED;
        if self.inner.size_hint().lower() > left {
            return false;
        }
        while let Some(frame) = self.inner.frame().await {
            let Ok(frame) = frame else { return false };
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            match left.checked_sub(bytes) {
                Some(fewer) => left = fewer,
                None => return false,
            }
        }
        true
    }
}

impl HttpBody for ReturnedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        rest.is_read = true;
        let frame = Pin::new(&mut rest.inner).poll_frame(cx);
        match &frame {
            Poll::Ready(None) => self.rest = None,
            Poll::Ready(Some(Err(_))) => rest.is_broken = true,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.as_ref().map_or(SizeHint::with_exact(0), |rest| rest.inner.size_hint())
    }
}

impl Drop for ReturnedBody {
    fn drop(&mut self) {
        if let (Some(rest), Some(sender)) = (self.rest.take(), self.sender.take()) {
            // The receiver is gone when the connection has ended.
            drop(sender.send(rest));
        }
    }
}
