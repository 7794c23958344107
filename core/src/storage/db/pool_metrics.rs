//! Metrics of the connection pools, with the names of OpenTelemetry.

use std::{sync::LazyLock, time::Instant};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, UpDownCounter},
};
use sqlx::{Pool, pool::PoolConnection};

use super::driver::Driver;
use crate::runtime::telemetry::metrics::{DATABASE_BUCKETS, meter};

static INSTRUMENTS: LazyLock<PoolInstruments> = LazyLock::new(PoolInstruments::new);

struct PoolInstruments {
    pending: UpDownCounter<i64>,
    wait: Histogram<f64>,
    timeouts: Counter<u64>,
}

impl PoolInstruments {
    fn new() -> Self {
        let meter = meter();
        Self {
            pending: meter
                .i64_up_down_counter("db.client.connection.pending_requests")
                .with_unit("{request}")
                .with_description("Transactions that wait for a database connection")
                .build(),
            wait: meter
                .f64_histogram("db.client.connection.wait_time")
                .with_boundaries(DATABASE_BUCKETS.to_vec())
                .with_unit("s")
                .with_description("Time that transactions waited for a database connection")
                .build(),
            timeouts: meter
                .u64_counter("db.client.connection.timeouts")
                .with_unit("{timeout}")
                .with_description("Transactions that got no database connection in time")
                .build(),
        }
    }
}

fn pool_label(name: &'static str) -> KeyValue {
    KeyValue::new("db.client.connection.pool.name", name)
}

/// Takes a connection from `pool`, and records how long that took. `writes`: is it for changes?
pub(super) async fn acquire<D: Driver>(pool: &Pool<D>, writes: bool) -> sqlx::Result<PoolConnection<D>> {
    let labels = [pool_label(D::pool_name(writes))];
    let pending = PendingRequest::start(&labels);
    let started = Instant::now();
    let acquired = pool.acquire().await;
    drop(pending);
    INSTRUMENTS.wait.record(started.elapsed().as_secs_f64(), &labels);
    // So that the counter exists before the first time-out.
    INSTRUMENTS.timeouts.add(u64::from(matches!(acquired, Err(sqlx::Error::PoolTimedOut))), &labels);
    acquired
}

/// One request for a connection. It also ends when its future is dropped.
struct PendingRequest<'a>(&'a [KeyValue]);

impl<'a> PendingRequest<'a> {
    fn start(labels: &'a [KeyValue]) -> Self {
        INSTRUMENTS.pending.add(1, labels);
        Self(labels)
    }
}

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        INSTRUMENTS.pending.add(-1, self.0);
    }
}

/// Registers the numbers of connections in these pools. `writes`: is the pool for changes?
pub(super) fn observe<D: Driver>(pools: &[(&Pool<D>, bool)]) {
    let pools: Vec<(Pool<D>, &'static str)> =
        pools.iter().map(|(pool, writes)| ((*pool).clone(), D::pool_name(*writes))).collect();
    let counted = pools.clone();
    meter()
        .i64_observable_up_down_counter("db.client.connection.count")
        .with_unit("{connection}")
        .with_description("Open database connections by state")
        .with_callback(move |count| {
            for (pool, name) in &counted {
                let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
                let state = |state| [pool_label(name), KeyValue::new("db.client.connection.state", state)];
                count.observe(idle, &state("idle"));
                // Both numbers are read one after the other.
                count.observe((i64::from(pool.size()) - idle).max(0), &state("used"));
            }
        })
        .build();
    meter()
        .i64_observable_up_down_counter("db.client.connection.max")
        .with_unit("{connection}")
        .with_description("Database connections that the pool can open")
        .with_callback(move |max| {
            for (pool, name) in &pools {
                max.observe(i64::from(pool.options().get_max_connections()), &[pool_label(name)]);
            }
        })
        .build();
}
