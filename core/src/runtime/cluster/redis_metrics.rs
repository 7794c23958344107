//! Metrics of the use of Redis.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::{KeyValue, metrics::Histogram};

use crate::runtime::{resource_metrics::observe_gauge, telemetry::metrics::meter};

/// Upper bounds in seconds, as OpenTelemetry recommends for databases.
const BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

static SCRIPTS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    meter()
        .f64_histogram("db.client.operation.duration")
        .with_boundaries(BUCKETS.to_vec())
        .with_unit("s")
        .with_description("Duration of scripts in Redis, which count rate limits")
        .build()
});

/// Whether this process receives messages from the others through Redis.
static CONNECTED: AtomicBool = AtomicBool::new(false);

/// Records a script that ended after `duration`. `error_type`: why it failed.
pub(super) fn script_finished(duration: Duration, error_type: Option<&'static str>) {
    let mut labels =
        vec![KeyValue::new("db.system.name", "redis"), KeyValue::new("db.operation.name", "EVALSHA")];
    labels.extend(error_type.map(|error_type| KeyValue::new("error.type", error_type)));
    SCRIPTS.record(duration.as_secs_f64(), &labels);
}

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
