//! Serves one connection: idle, then active, then idle again.
//!
//! An idle connection needs only a socket and a few hundred bytes. The HTTP/1.1 state of hyper with its
//! buffers is created when something arrives, and dropped when the response is sent. So many open connections
//! use little memory. HTTP/2 has state between requests, so an HTTP/2 connection keeps its state.

use std::{
    convert::Infallible,
    error::Error,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{self, pin},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http_body::Body as HttpBody;
use http_body_util::combinators::BoxBody;
use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use poem::{
    Addr, Endpoint,
    http::{
        HeaderValue, StatusCode, Version, header,
        uri::{Authority, Scheme},
    },
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{Limits, Readiness, unread_body};
use crate::server::{
    activity::{ConnectionActivity, TrackedBody},
    socket::Socket,
};

/// The error that ended a connection.
type Failure = Box<dyn Error + Send + Sync>;

/// A response as it is sent to a peer.
type Answer = Response<TrackedBody<BoxBody<Bytes, io::Error>>>;

/// State that all connections of one server share.
pub(super) struct Server<E> {
    pub(super) app: E,
    pub(super) local: SocketAddr,
    pub(super) limits: Limits,
    pub(super) ready: Readiness,
    /// Cancelled when connections must finish requests in flight and accept no new ones.
    pub(super) drain: CancellationToken,
}

/// The peer of one connection.
struct Peer<E> {
    server: Arc<Server<E>>,
    address: SocketAddr,
    activity: Arc<ConnectionActivity>,
}

impl<E: Endpoint<Output = poem::Response> + 'static> Server<E> {
    /// Serves one peer until either side closes the connection.
    pub(super) async fn connection(self: Arc<Self>, socket: TcpStream, address: SocketAddr) {
        if let Err(err) = socket.set_nodelay(true) {
            tracing::debug!(peer = %address, %err, "no TCP_NODELAY");
        }
        let activity = ConnectionActivity::new();
        let peer = Arc::new(Peer { server: self, address, activity: activity.clone() });
        tokio::select! {
            // Handle arrived data before timers: on a busy machine both are late.
            biased;
            ended = peer.clone().serve_requests(Socket::new(socket, activity)) => if let Err(err) = ended {
                tracing::debug!(peer = %address, err, "connection failed");
            },
            // Close without draining: a peer that sends nothing does not read a GOAWAY either.
            () = peer.is_stale() => {}
        }
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<BoxBody<Bytes, io::Error>> {
        let is_http1 = request.version() < Version::HTTP_2;
        let names_one_host = names_one_host(&request);
        let has_body = !request.body().is_end_stream();
        let local = LocalAddr(Addr::SocketAddr(self.local));
        let remote = RemoteAddr(Addr::SocketAddr(peer));
        let mut request = poem::Request::from((request, local, remote, Scheme::HTTP));
        let unread = has_body.then(|| unread_body::watch(&mut request));
        let mut response = match names_one_host {
            true => self.app.get_response(request).await,
            // Without a body, as hyper refuses an invalid request.
            false => StatusCode::BAD_REQUEST.into(),
        };
        // Close the connection of a client that was too slow (RFC 9110 §15.5.9).
        let may_go_on = names_one_host && response.status() != StatusCode::REQUEST_TIMEOUT;
        let is_read = match unread {
            None => true,
            Some(unread) => may_go_on && unread.drain().await,
        };
        // HTTP/2 forbids the header (RFC 9113 §8.2.2).
        if is_http1 && !(may_go_on && is_read && self.ready.is_ready()) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.into()
    }
}

impl<E: Endpoint<Output = poem::Response> + 'static> Peer<E> {
    /// Resolves when the peer has been silent for longer than allowed.
    async fn is_stale(&self) {
        let limits = &self.server.limits;
        let mut tick = interval(limits.header_time.min(limits.stall).min(limits.idle) / 10);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.activity.is_stale(limits) {
            tick.tick().await;
        }
    }

    async fn serve_requests(self: Arc<Self>, mut socket: Socket) -> Result<(), Failure> {
        let drain = &self.server.drain;
        let Some(version) = drain.run_until_cancelled(socket.detect_version()).await else { return Ok(()) };
        // Boxed, so that it is freed as soon as it ends, while the connection continues.
        if version? == Version::HTTP_2 {
            return Box::pin(self.clone().http2(socket)).await;
        }
        loop {
            let kept = Box::pin(self.clone().http1(socket)).await?;
            let Some(kept) = kept else { return Ok(()) };
            socket = kept;
            let Some(spoken) = drain.run_until_cancelled(socket.readable()).await else { return Ok(()) };
            spoken?;
        }
    }

    /// Answers requests until there are no more. `Some`: the peer can send another request later.
    async fn http1(self: Arc<Self>, socket: Socket) -> Result<Option<Socket>, Failure> {
        let peer = self.clone();
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // `ConnectionActivity` distinguishes an idle connection from a slow one.
            .header_read_timeout(None)
            .max_headers(self.server.limits.headers)
            .max_buf_size(self.server.limits.head_bytes as usize)
            .serve_connection(TokioIo::new(socket), service_fn(move |request| peer.clone().answer(request)));
        let mut is_ending = false;
        let (ended, is_kept) = loop {
            tokio::select! {
                biased;
                ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break (ended, false),
                () = self.server.drain.cancelled(), if !is_ending => {
                    is_ending = true;
                    pin::Pin::new(&mut connection).graceful_shutdown();
                }
                // This needs no waker: a connection becomes idle through what hyper has just done above.
                () = poll_fn(|_| self.activity.poll_idle()), if !is_ending => {
                    is_ending = true;
                    pin::Pin::new(&mut connection).graceful_shutdown();
                    // If there is nothing to do, it ends at once and silently. Otherwise it ends later.
                    if let Some(ended) = poll_fn(|cx| connection.poll_without_shutdown(cx)).now_or_never() {
                        break (ended, true);
                    }
                }
            }
        };
        let parts = connection.into_parts();
        let mut socket = parts.io.into_inner();
        if is_kept && ended.is_ok() {
            socket.push_back(&parts.read_buf);
            return Ok(Some(socket));
        }
        // Also after an error: the peer may still have to read the response.
        let hung_up = socket.shutdown().await;
        ended?;
        Ok(hung_up.map(|()| None)?)
    }

    async fn http2(self: Arc<Self>, socket: Socket) -> Result<(), Failure> {
        let peer = self.clone();
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.server.limits.streams)
            .max_header_list_size(self.server.limits.head_bytes)
            // Rapid reset: CVE-2023-44487.
            .max_pending_accept_reset_streams(20)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .serve_connection(TokioIo::new(socket), service_fn(move |request| peer.clone().answer(request)));
        let mut connection = pin!(connection);
        tokio::select! {
            biased;
            ended = connection.as_mut() => return Ok(ended?),
            () = self.server.drain.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        Ok(connection.await?)
    }

    fn answer(self: Arc<Self>, request: Request<Incoming>) -> BoxFuture<'static, Result<Answer, Infallible>> {
        let in_flight = self.activity.request(request.version());
        Box::pin(async move {
            let response = self.server.respond(request, self.address).await;
            Ok(response.map(|body| TrackedBody::new(body, in_flight)))
        })
    }
}

/// Returns whether the request has exactly one `Host`. With two, a proxy may have used the other one (RFC
/// 9112 §3.2). HTTP/1.0 requires none, and HTTP/2 has it in another place.
fn names_one_host(request: &Request<Incoming>) -> bool {
    let is_host = |value: &HeaderValue| {
        let host = value.to_str().unwrap_or("/");
        host.is_empty() || (!host.contains('@') && host.parse::<Authority>().is_ok())
    };
    let hosts: Vec<_> = request.headers().get_all(header::HOST).iter().collect();
    match *hosts {
        [] => request.version() != Version::HTTP_11,
        [host] => is_host(host),
        _ => false,
    }
}
