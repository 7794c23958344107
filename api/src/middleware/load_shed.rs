//! How many requests are worked on at a time. Who comes then is told at once to come again, before he costs anything.
//!
//! What waits for the database, or for the rest of a body, holds memory; and a queue that is longer than what is served
//! within the time-outs only makes everybody fail late. Probes and pages are not counted: whoever looks why it is busy gets
//! through.

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

/// When to come again.
const SOON: Duration = Duration::from_secs(1);

/// A request's place; given back on drop.
type Held = (OwnedSemaphorePermit, PeerPermit);

/// The requests of one server.
#[derive(Debug)]
pub(crate) struct LoadShedder {
    slots: Arc<Semaphore>,
    addresses: Arc<PeerLimiter>,
    /// Most of one IPv4 address or IPv6 /64: nobody shuts the others out by sending slowly.
    share: usize,
    trusted_proxies: Option<Networks>,
}

impl LoadShedder {
    /// At most so many requests, half of them from one address, which these proxies tell.
    pub(crate) fn new(requests: usize, trusted_proxies: Option<Networks>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(requests)),
            addresses: Arc::default(),
            share: requests.div_ceil(2),
            trusted_proxies,
        }
    }

    /// A place for one more request of `client`; `None`: there is none.
    fn enter(&self, client: Option<IpAddr>) -> Option<Held> {
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        // Those of whom no address is known share one.
        let client = client.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
        Some((slot, self.addresses.enter(client, self.share)?))
    }

    /// Middleware: an operation runs only while there is a place for it, and keeps it until the last piece of its answer is
    /// handed over or nobody wants it any more: a file is read from the database while it is sent.
    ///
    /// # Errors
    /// `UNAVAILABLE` where there is none, and those of `endpoint`.
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
            return Err(Problem(Error::Unavailable { retry_after: SOON }).into());
        };
        let mut response = endpoint.call(request).await?;
        let inner = response.take_body().into();
        response.set_body(BoxBody::new(PermitBody { inner, _held: held }));
        Ok(response)
    }
}

/// A body that keeps the place of its request.
struct PermitBody {
    inner: BoxBody<Bytes, io::Error>,
    _held: Held,
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
    fn nobody_takes_the_places_of_the_others() {
        let load = LoadShedder::new(5, None);
        let client = |text: &str| Some(text.parse().unwrap());
        let mut held: Vec<_> = (0..9).filter_map(|_| load.enter(client("203.0.113.7"))).collect();
        assert_eq!(held.len(), 3);
        held.extend((0..9).filter_map(|_| load.enter(client("203.0.113.8"))));
        assert_eq!(held.len(), 5);
        assert!(load.enter(None).is_none() && load.enter(client("2001:db8::1")).is_none());
        held.pop();
        assert!(load.enter(client("203.0.113.7")).is_none(), "three are enough");
        assert!(load.enter(None).is_some());
    }

    #[tokio::test]
    async fn an_answer_that_is_written_while_it_is_read_keeps_its_place() {
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
            assert!(ask().await.is_err(), "there is one place");
            assert_eq!(answer.into_body().into_string().await.unwrap(), "a piece");
        }
        drop(ask().await.unwrap());
        assert!(ask().await.is_ok(), "nobody wanted to read it");
    }
}
