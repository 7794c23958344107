//! Counts the connections of each peer, and detects inactive connections.

use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::Version;
use insula_core::runtime::rate_limit::network;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::server::Limits;

/// Number of open connections per peer: an IPv4 address or an IPv6 /64, which one customer gets (RFC 6177
/// §2).
#[derive(Debug, Default)]
pub(crate) struct PeerLimiter(Mutex<HashMap<IpAddr, usize>>);

/// One counted connection of a peer. It is released on drop.
#[derive(Debug)]
pub(crate) struct PeerPermit(Arc<PeerLimiter>, IpAddr);

impl PeerLimiter {
    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more connection of `peer`. `None` if it has `cap` already.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr, cap: usize) -> Option<PeerPermit> {
        let key = network(peer);
        let mut open = self.open();
        let count = open.entry(key).or_default();
        (*count < cap).then(|| {
            *count += 1;
            PeerPermit(self.clone(), key)
        })
    }
}

impl Drop for PeerPermit {
    fn drop(&mut self) {
        let mut open = self.0.open();
        if let Some(count) = open.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.1);
            }
        }
    }
}

/// The value for "no time".
const NONE: u64 = u64::MAX;

/// The recent activity of one connection.
///
/// The timers of hyper have gaps. None runs before the version of HTTP is known, none ends an idle HTTP/2
/// connection, and none watches a client that does not read its response. The one for the head of an HTTP/1.1
/// request also runs between requests.
#[derive(Debug)]
pub(crate) struct ConnectionActivity {
    born: Instant,
    has_asked: AtomicBool,
    is_http1: AtomicBool,
    /// When the first byte of the incomplete head of a request arrived. [`NONE`]: there is no incomplete
    /// head.
    head_ms: AtomicU64,
    /// Number of requests without a complete response.
    open: AtomicUsize,
    /// Number of responses that wait for the client: a part was handed over, and the next one was not
    /// requested yet.
    pending_responses: AtomicUsize,
    /// Whether a write waits until the peer has read what was sent before.
    is_blocked: AtomicBool,
    /// Whether hyper has tried to read since the last response was complete, and nothing was there.
    is_waiting: AtomicBool,
    last_ms: AtomicU64,
}

impl ConnectionActivity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            born: Instant::now(),
            has_asked: false.into(),
            is_http1: false.into(),
            head_ms: NONE.into(),
            open: 0.into(),
            pending_responses: 0.into(),
            is_blocked: false.into(),
            is_waiting: false.into(),
            last_ms: 0.into(),
        })
    }

    /// Records that a request has arrived.
    pub(crate) fn request(self: &Arc<Self>, version: Version) -> InFlight {
        self.has_asked.store(true, Relaxed);
        self.is_http1.store(version < Version::HTTP_2, Relaxed);
        self.head_ms.store(NONE, Relaxed);
        self.is_waiting.store(false, Relaxed);
        self.open.fetch_add(1, Relaxed);
        self.touch();
        InFlight { activity: self.clone(), is_pending: false }
    }

    /// Records that bytes have arrived. Between two requests of HTTP/1.1 they belong to a head; HTTP/2 also
    /// has other frames.
    pub(crate) fn on_read(&self) {
        self.is_waiting.store(false, Relaxed);
        if self.is_between() && self.head_ms.load(Relaxed) == NONE {
            self.head_ms.store(self.age_ms(), Relaxed);
        }
    }

    /// Records whether the last write has to wait for the peer.
    pub(crate) fn on_write_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Relaxed);
    }

    /// Records that hyper tried to read and nothing was there.
    pub(crate) fn on_read_pending(&self) {
        self.is_waiting.store(self.is_between(), Relaxed);
    }

    /// Ready when hyper waits for the head of the next request: it has read the previous request completely
    /// and sent its response. A connection that is about to close does not count as waiting. Registers no
    /// waker.
    pub(crate) fn poll_idle(&self) -> Poll<()> {
        let is_idle = self.is_waiting.load(Relaxed)
            && self.head_ms.load(Relaxed) == NONE
            && !self.is_blocked.load(Relaxed);
        if is_idle { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Returns whether every HTTP/1.1 request so far has its response.
    fn is_between(&self) -> bool {
        self.is_http1.load(Relaxed) && self.open.load(Relaxed) == 0
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn touch(&self) {
        self.last_ms.store(self.age_ms(), Relaxed);
    }

    /// Returns whether the peer has been silent for longer than `limits` allow in this state.
    pub(crate) fn is_stale(&self, limits: &Limits) -> bool {
        let age = self.born.elapsed();
        if !self.has_asked.load(Relaxed) {
            return age > limits.header_time;
        }
        let since = |ms: &AtomicU64| age.saturating_sub(Duration::from_millis(ms.load(Relaxed)));
        // Zero if there is no head, because [`NONE`] is later than any time.
        if since(&self.head_ms) > limits.header_time {
            return true;
        }
        let quiet = since(&self.last_ms);
        if self.pending_responses.load(Relaxed) > 0 {
            return quiet > limits.stall;
        }
        self.open.load(Relaxed) == 0 && quiet > limits.idle
    }
}

/// One request without a complete response. It ends on drop.
#[derive(Debug)]
pub(crate) struct InFlight {
    activity: Arc<ConnectionActivity>,
    is_pending: bool,
}

impl InFlight {
    /// Records that a part of the response was requested (`false`) or handed over (`true`).
    fn set_body_pending(&mut self, is_pending: bool) {
        match (self.is_pending, is_pending) {
            (false, true) => self.activity.pending_responses.fetch_add(1, Relaxed),
            (true, false) => self.activity.pending_responses.fetch_sub(1, Relaxed),
            _ => 0,
        };
        self.is_pending = is_pending;
        self.activity.touch();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.set_body_pending(false);
        self.activity.open.fetch_sub(1, Relaxed);
    }
}

pin_project! {
    /// The body of a response. It keeps its request in flight until the last part is handed over.
    pub(crate) struct TrackedBody<B> {
        #[pin]
        inner: B,
        in_flight: InFlight,
    }
}

impl<B> TrackedBody<B> {
    pub(crate) fn new(inner: B, in_flight: InFlight) -> Self {
        Self { inner, in_flight }
    }
}

impl<B: HttpBody> HttpBody for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        this.in_flight.set_body_pending(false);
        let frame = ready!(this.inner.poll_frame(cx));
        this.in_flight.set_body_pending(matches!(frame, Some(Ok(_))));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_an_ipv4_address_or_an_ipv6_network() {
        let peers = Arc::new(PeerLimiter::default());
        let enter = |ip: &str| peers.enter(ip.parse().unwrap(), 2);
        let held =
            [enter("192.0.2.1"), enter("::ffff:192.0.2.1"), enter("2001:db8::1"), enter("2001:db8::ffff:1")];
        assert!(held.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none() && enter("2001:db8::2").is_none());
        assert!(enter("192.0.2.2").is_some() && enter("2001:db8:0:1::1").is_some());
        drop(held);
        assert!(peers.open().is_empty() && enter("192.0.2.1").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_stale_when_its_peer_is_silent_at_the_wrong_time() {
        let limits = Limits::default();
        let wait = |time: Duration| tokio::time::advance(time + Duration::from_millis(1));
        let activity = ConnectionActivity::new();
        wait(limits.header_time).await;
        assert!(activity.is_stale(&limits), "no request arrived");
        let mut request = activity.request(Version::HTTP_11);
        wait(limits.idle * 10).await;
        assert!(!activity.is_stale(&limits), "a request is in progress");
        request.set_body_pending(true);
        assert!(!activity.is_stale(&limits));
        wait(limits.stall).await;
        assert!(activity.is_stale(&limits), "the client does not read");
        activity.on_read();
        drop(request);
        assert!(!activity.is_stale(&limits), "bytes during a request are no head");
        activity.on_read();
        wait(limits.header_time / 2).await;
        activity.on_read();
        assert!(!activity.is_stale(&limits));
        wait(limits.header_time / 2).await;
        assert!(activity.is_stale(&limits), "the head is incomplete");
        drop(activity.request(Version::HTTP_11));
        assert!(!activity.is_stale(&limits), "the head is complete");
        wait(limits.idle).await;
        assert!(activity.is_stale(&limits), "no further request arrived");
    }
}
