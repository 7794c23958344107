//! The accept loop: poem's router on hyper's connections, with the deadlines and caps poem's own server has no knobs for.
//!
//! What a request may cost once it has arrived is bounded in [`crate::middleware::body_limit`]; this module bounds its connection.

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
    /// Requests at a time, of all clients: [`crate::middleware::load_shed`] says who counts.
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

#[cfg(test)]
mod tests;
pub(crate) mod activity;
pub(crate) mod socket;
