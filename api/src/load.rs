//! How many requests are worked on at a time. Who comes then is told at once to come again, before he costs anything.
//!
//! What waits for the database, or for the rest of a body, holds memory; and a queue that is longer than what is served
//! within the time-outs only makes everybody fail late. Probes and pages are not counted: whoever looks why it is busy gets
//! through.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use insula_core::{Error, telemetry::metrics};
use poem::{Endpoint, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    client,
    connections::{Peers, Place},
    operation::Operation,
    problem::Problem,
    state::State,
};

/// When to come again.
const SOON: Duration = Duration::from_secs(1);

/// The requests of one server.
#[derive(Debug)]
pub(crate) struct Load {
    slots: Arc<Semaphore>,
    addresses: Arc<Peers>,
    /// Most of one IPv4 address or IPv6 /64: nobody shuts the others out by sending slowly.
    share: usize,
}

impl Load {
    /// At most so many requests, half of them from one address.
    pub(crate) fn new(requests: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(requests)),
            addresses: Arc::default(),
            share: requests.div_ceil(2),
        }
    }

    /// A place for one more request of `client`; `None`: there is none.
    fn enter(&self, client: Option<IpAddr>) -> Option<(OwnedSemaphorePermit, Place)> {
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        // Those of whom no address is known share one.
        let client = client.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
        Some((slot, self.addresses.enter(client, self.share)?))
    }

    /// Middleware: an operation runs only while there is a place for it.
    ///
    /// # Errors
    /// `UNAVAILABLE` where there is none, and those of `endpoint`.
    pub(crate) async fn shed<E: Endpoint>(
        self: Arc<Self>,
        state: Arc<State>,
        endpoint: Arc<E>,
        request: Request,
    ) -> poem::Result<E::Output> {
        if request.data::<Arc<Operation>>().is_none() {
            return endpoint.call(request).await;
        }
        let Some(_place) = self.enter(client::address(&request, state.trusted_proxies.as_ref())) else {
            metrics::request_shed();
            return Err(Problem(Error::Unavailable { retry_after: SOON }).into());
        };
        endpoint.call(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_the_places_of_the_others() {
        let load = Load::new(5);
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
}
