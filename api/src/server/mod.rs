//! The accept loop: the router of poem on connections of hyper, with time-outs and limits that the server of
//! poem does not offer.
//!
//! This module limits connections; [`crate::middleware::body_limit`] limits requests.

mod connection;
mod unread_body;

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use poem::{Endpoint, EndpointExt};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::connection::Server;
use crate::server::activity::PeerLimiter;

/// Limits on the resources of the server and of one client.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for the head of a request to arrive, from its first byte. For the first request, from the start
    /// of the connection.
    pub header_time: Duration,
    /// Time that a connection without requests in flight stays open. It is longer than that of load balancers
    /// (usually 60 s): the load balancer must close first, or it sends a request on a connection that was
    /// just closed.
    pub idle: Duration,
    /// Time for a client to read the next part of its response.
    pub stall: Duration,
    /// Time for the body of a request to arrive.
    pub body_time: Duration,
    /// Time from the head of a request to the head of its response.
    pub request_time: Duration,
    /// Number of headers of one request.
    pub headers: usize,
    /// Size of the head of one request, in bytes.
    pub head_bytes: u32,
    /// Size of the body of one request, in bytes.
    pub body_bytes: u64,
    /// Concurrent requests on one HTTP/2 connection.
    pub streams: u32,
    /// Concurrent requests of all clients; see [`crate::middleware::load_shed`].
    pub requests: usize,
    /// Concurrent connections of all clients.
    pub connections: usize,
    /// Concurrent connections of one IPv4 address or IPv6 /64. Behind a proxy, those of the proxy.
    pub connections_per_peer: usize,
    /// Time to continue accepting after the stop signal, so that load balancers can remove the server.
    pub drain_delay: Duration,
    /// Time for requests in flight to finish after accepting has stopped.
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
    /// Returns whether the server accepts connections and is not about to stop.
    pub fn is_ready(&self) -> bool {
        self.0.load(Relaxed)
    }

    fn set(&self, is_ready: bool) {
        self.0.store(is_ready, Relaxed);
    }
}

/// Serves `app` until `stop` resolves and the drain is over. Returns the number of connections that were
/// closed early.
///
/// # Errors
/// If `listener` has no IP address.
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
    let peers = Arc::new(PeerLimiter::default());
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
                    // Usually out of file descriptors: do not spin.
                    tracing::warn!(%err, "accept failed");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        // Over the limit the socket is closed without a response, which would need the resources that the
        // limit saves.
        let Ok(slot) = slots.clone().try_acquire_owned() else { continue };
        let Some(place) = peers.enter(peer.ip(), limits.connections_per_peer) else { continue };
        let (server, cut) = (server.clone(), cut.clone());
        tasks.spawn(async move {
            let _held = (slot, place);
            // Boxed: moved into the other future it would exist twice while the connection lasts.
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

#[cfg(test)]
mod tests;
pub(crate) mod activity;
pub(crate) mod socket;
