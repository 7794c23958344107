//! Concurrent tasks, and waiting for a condition.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::server::TIMEOUT;

/// Runs `n` tasks concurrently; returns their results in order.
pub async fn concurrently<T, F>(n: usize, thing: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut things = JoinSet::new();
    for number in 0..n {
        let thing = thing(number);
        things.spawn(async move { (number, thing.await) });
    }
    let mut results = things.join_all().await;
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Waits until `condition` holds; panics with `wish` when it does not within 30 s.
pub async fn eventually(wish: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {TIMEOUT:?}: {wish}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
