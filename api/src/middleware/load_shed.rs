//! Limits the number of concurrent requests. A request over the limit is refused at once, before it uses
//! resources.
//!
//! Requests that wait for the database or for the rest of a body use memory. A queue that is longer than what
//! can be served within the time-outs only makes all requests fail late. Probes and pages are not counted, so
//! that a busy server can be inspected.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use insula_core::{
    Error,
    runtime::{config::Networks, telemetry::metrics},
};
use poem::{Endpoint, Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    operations::Operation,
    problem::Problem,
    request::client_ip,
    server::activity::{PeerLimiter, PeerPermit},
};

/// Value of `Retry-After` for a refused request.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The slot of one request, released on drop.
type SlotPermits = (OwnedSemaphorePermit, PeerPermit);

/// The concurrent requests of one server.
#[derive(Debug)]
pub(crate) struct LoadShedder {
    slots: Arc<Semaphore>,
    addresses: Arc<PeerLimiter>,
    /// Maximum for one IPv4 address or IPv6 /64, so that one client with slow requests cannot block the
    /// others.
    share: usize,
    trusted_proxies: Option<Networks>,
}

impl LoadShedder {
    /// Allows this number of requests, and half of it from one IP address. Proxies in `trusted_proxies`
    /// report the IP address.
    pub(crate) fn new(requests: usize, trusted_proxies: Option<Networks>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(requests)),
            addresses: Arc::default(),
            share: requests.div_ceil(2),
            trusted_proxies,
        }
    }

    /// Takes a slot for one more request of `client`. `None`: the limit is reached.
    fn enter(&self, client: Option<IpAddr>) -> Option<SlotPermits> {
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        // Clients without a known IP address share one.
        let client = client.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
        Some((slot, self.addresses.enter(client, self.share)?))
    }

    /// Middleware: an operation runs only with a free slot. It keeps the slot until the last part of its
    /// response is handed over or the response is dropped, because a file is read from the database while it
    /// is sent.
    ///
    /// # Errors
    /// `UNAVAILABLE` if there is no free slot, and those of `endpoint`.
    pub(crate) async fn shed<E: Endpoint<Output = Response>>(
        self: Arc<Self>,
        endpoint: Arc<E>,
        request: Request,
    ) -> poem::Result<Response> {
        if request.data::<Arc<Operation>>().is_none() {
            return endpoint.call(request).await;
        }
        let Some(held) = self.enter(client_ip::address(&request, self.trusted_proxies.as_ref())) else {
            metrics::request_shed();
            return Err(Problem(Error::Unavailable { retry_after: RETRY_AFTER }).into());
        };
        let mut response = endpoint.call(request).await?;
        let inner = response.take_body().into();
        response.set_body(BoxBody::new(PermitBody { inner, _held: held }));
        Ok(response)
    }
}

/// A response body that keeps the slot of its request.
struct PermitBody {
    inner: BoxBody<Bytes, io::Error>,
    _held: SlotPermits,
}

impl HttpBody for PermitBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
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
    use poem::{Body, EndpointExt, http::Method};

    use super::*;
    use crate::{
        BASE,
        operations::Operations,
        test_api::{self, Demo},
    };

    #[test]
    fn one_client_cannot_take_all_slots() {
        let load = LoadShedder::new(5, None);
        let client = |text: &str| Some(text.parse().unwrap());
        let mut held: Vec<_> = (0..9).filter_map(|_| load.enter(client("203.0.113.7"))).collect();
        assert_eq!(held.len(), 3);
        held.extend((0..9).filter_map(|_| load.enter(client("203.0.113.8"))));
        assert_eq!(held.len(), 5);
        assert!(load.enter(None).is_none() && load.enter(client("2001:db8::1")).is_none());
        held.pop();
        assert!(load.enter(client("203.0.113.7")).is_none(), "three slots are the limit");
        assert!(load.enter(None).is_some());
    }

    #[tokio::test]
    async fn a_streamed_response_keeps_its_slot() {
        let load = Arc::new(LoadShedder::new(1, None));
        let file = poem::endpoint::make_sync(|_| {
            let piece = futures_util::stream::once(async { Ok::<_, io::Error>("a piece") });
            Response::builder().body(Body::from_bytes_stream(piece))
        });
        let operations = Arc::new(Operations::new::<Demo>(BASE).unwrap());
        let app = file
            .around(move |endpoint, request| Arc::clone(&load).shed(endpoint, request))
            .around(move |endpoint, request| Arc::clone(&operations).around(endpoint, request));
        let ask = || app.call(test_api::request(Method::GET, "/api/v1/failures/how").finish());
        for _ in 0..2 {
            let answer = ask().await.unwrap();
            assert!(ask().await.is_err(), "there is one slot");
            assert_eq!(answer.into_body().into_string().await.unwrap(), "a piece");
        }
        drop(ask().await.unwrap());
        assert!(ask().await.is_ok(), "the slot of a dropped response is free");
    }
}
