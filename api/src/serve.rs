//! The accept loop: poem's router on hyper's connections, with the deadlines and caps poem's own server has no knobs for.
//!
//! What a request may cost once it has arrived is bounded in [`crate::body`]; this module bounds its connection.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use poem::{
    Addr, Endpoint, EndpointExt,
    http::{
        HeaderValue, StatusCode, Version, header,
        uri::{Authority, Scheme},
    },
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    connections::{Activity, Peers, Watched},
    socket::Socket,
};

/// What one client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the head of a request to arrive, from its first byte; that of the first one from the beginning of the connection.
    pub header_time: Duration,
    /// Of a connection with nothing in flight, between two requests. Longer than load balancers keep theirs (60 s, most of
    /// them): whoever lets go first must be the one who asks, or he asks a connection that has just been closed.
    pub idle: Duration,
    /// For a client to take the next piece of its answer.
    pub stall: Duration,
    /// For the body of a request to arrive.
    pub body_time: Duration,
    /// From the head of a request to that of its answer.
    pub request_time: Duration,
    /// Headers of one request.
    pub headers: usize,
    /// Bytes of the head of one request.
    pub head_bytes: u32,
    /// Bytes of the body of one request.
    pub body_bytes: u64,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
    /// Requests at a time, of all clients: [`crate::load`] says who counts.
    pub requests: usize,
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time of one IPv4 address or IPv6 /64; behind a proxy, of the proxy.
    pub connections_per_peer: usize,
    /// How long to keep accepting after the stop signal, so that load balancers can look away.
    pub drain_delay: Duration,
    /// How long requests in flight may take once accepting has stopped.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_time: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(30),
            body_time: Duration::from_secs(15),
            request_time: Duration::from_secs(30),
            headers: 100,
            head_bytes: 64 * 1024,
            body_bytes: 1024 * 1024,
            streams: 100,
            requests: 256,
            connections: 10_000,
            connections_per_peer: 256,
            drain_delay: Duration::from_secs(5),
            drain_time: Duration::from_secs(25),
        }
    }
}

/// Whether the process should receive traffic: set by [`serve`], read by the readiness probe.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Is it accepting, and not about to stop?
    pub fn is_ready(&self) -> bool {
        self.0.load(Relaxed)
    }

    fn set(&self, is_ready: bool) {
        self.0.store(is_ready, Relaxed);
    }
}

/// What all connections of one server share.
struct Server<E> {
    app: E,
    local: SocketAddr,
    limits: Limits,
    ready: Readiness,
    drain: CancellationToken,
}

/// Serves `app` until `stop` resolves and the drain is over; returns how many connections had to be cut.
///
/// # Errors
/// When `listener` has no address.
pub async fn serve<E>(
    listener: TcpListener,
    app: E,
    limits: Limits,
    ready: Readiness,
    stop: impl Future<Output = ()>,
) -> io::Result<usize>
where
    E: Endpoint + 'static,
{
    let server = Arc::new(Server {
        app: app.map_to_response(),
        local: listener.local_addr()?,
        limits,
        ready: ready.clone(),
        drain: CancellationToken::new(),
    });
    let slots = Arc::new(Semaphore::new(limits.connections));
    let peers = Arc::new(Peers::default());
    let (tasks, cut) = (TaskTracker::new(), CancellationToken::new());
    let mut stopping = pin!(async {
        stop.await;
        ready.set(false);
        sleep(limits.drain_delay).await;
    });

    ready.set(true);
    loop {
        let (socket, peer) = tokio::select! {
            () = &mut stopping => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(err) => {
                    // Out of file descriptors, mostly: do not spin.
                    tracing::warn!(%err, "accept failed");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        // Over a cap the socket is closed: an answer would cost what the cap is to save.
        let Ok(slot) = slots.clone().try_acquire_owned() else { continue };
        let Some(place) = peers.enter(peer.ip(), limits.connections_per_peer) else { continue };
        let (server, cut) = (server.clone(), cut.clone());
        tasks.spawn(async move {
            let _held = (slot, place);
            // Boxed: moved into the other one it would be there twice, for as long as the connection lasts.
            cut.run_until_cancelled(Box::pin(server.connection(socket, peer))).await;
        });
    }
    drop(listener);

    server.drain.cancel();
    tasks.close();
    if timeout(limits.drain_time, tasks.wait()).await.is_ok() {
        return Ok(0);
    }
    let left = tasks.len();
    cut.cancel();
    tasks.wait().await;
    Ok(left)
}

impl<E: Endpoint<Output = poem::Response> + 'static> Server<E> {
    async fn connection(self: Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let limits = &self.limits;
        if let Err(err) = socket.set_nodelay(true) {
            tracing::debug!(%peer, %err, "no TCP_NODELAY");
        }
        let activity = Activity::new();
        let service = service_fn({
            let (server, activity) = (self.clone(), activity.clone());
            move |request: Request<Incoming>| {
                let (server, in_flight) = (server.clone(), activity.request(request.version()));
                // Boxed: hyper keeps room for it as long as the connection lasts, and most connections are idle.
                Box::pin(async move {
                    let response = server.respond(request, peer).await;
                    Ok::<_, Infallible>(response.map(|body| Watched::new(body, in_flight)))
                })
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // Ours knows an idle connection from a slow one.
            .header_read_timeout(None)
            .max_headers(limits.headers)
            .max_buf_size(limits.head_bytes as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(limits.head_bytes)
            // Rapid reset: CVE-2023-44487.
            .max_pending_accept_reset_streams(20)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        let mut connection =
            pin!(builder.serve_connection(TokioIo::new(Socket::new(socket, activity.clone())), service));

        let mut tick = interval(limits.header_time.min(limits.stall).min(limits.idle) / 10);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_draining = false;
        loop {
            tokio::select! {
                // What has arrived counts before it is asked whether anything has: on a busy machine both are late.
                biased;
                result = connection.as_mut() => {
                    if let Err(err) = result {
                        tracing::debug!(%peer, %err, "connection failed");
                    }
                    return;
                }
                // Cut, do not drain: a peer that sends nothing will not read a GOAWAY either.
                _ = tick.tick() => if activity.is_stale(limits) { return },
                () = self.drain.cancelled(), if !is_draining => {
                    is_draining = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<BoxBody<Bytes, io::Error>> {
        if !names_one_host(&request) {
            // As hyper refuses what is no request: without a word.
            let refused = poem::Response::builder().status(StatusCode::BAD_REQUEST);
            return refused.header(header::CONNECTION, "close").finish().into();
        }
        let is_http1 = request.version() < Version::HTTP_2;
        let local = LocalAddr(Addr::SocketAddr(self.local));
        let remote = RemoteAddr(Addr::SocketAddr(peer));
        let mut response = self.app.get_response((request, local, remote, Scheme::HTTP).into()).await;
        // After these the rest of the request is still on the wire, and nobody will read it.
        let is_unread =
            matches!(response.status(), StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT);
        // HTTP/2 forbids the header (RFC 9113 §8.2.2).
        if is_http1 && (is_unread || !self.ready.is_ready()) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.into()
    }
}

/// Of two hosts a proxy before us may have believed the other one (RFC 9112 §3.2). HTTP/1.0 need not name any, and HTTP/2
/// names it elsewhere.
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

#[cfg(test)]
mod tests;
