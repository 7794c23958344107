//! The metric of the connection to Redis.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::runtime::resource_metrics::observe_gauge;

/// Whether this process receives messages from the others through Redis.
static CONNECTED: AtomicBool = AtomicBool::new(false);

/// Registers the state of the connection for cache invalidation, of a process with a Redis URL.
pub(super) fn observe_connection() {
    let help = "1 while this process is connected to Redis for cache invalidation";
    observe_gauge("insula.redis.connected", "{connection}", help, || {
        Some(f64::from(u8::from(CONNECTED.load(Relaxed))))
    });
}

/// Sets the state of the connection for cache invalidation.
pub(super) fn set_connected(is_connected: bool) {
    CONNECTED.store(is_connected, Relaxed);
}
