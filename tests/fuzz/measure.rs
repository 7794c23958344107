//! Metrics of the server.

use std::collections::BTreeMap;

use insula_tests::{Client, Server, console};

/// Answers and memory up to a moment.
pub(crate) struct Measure {
    /// The number of requests by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Resident memory in bytes.
    pub(crate) memory: u64,
}

impl Measure {
    /// Reads the current metrics.
    pub(crate) async fn take(server: &Server, ops: &Client) -> Self {
        const COUNT: &str = "http_server_request_duration_seconds_count{";
        let metrics = ops.get("/metrics").await;
        let mut statuses = BTreeMap::new();
        for line in metrics.text().lines().filter_map(|line| line.strip_prefix(COUNT)) {
            let status = line.split_once("http_response_status_code=\"").and_then(|(_, rest)| rest.get(..3));
            let count = line.rsplit(' ').next();
            if let (Some(Ok(status)), Some(Ok(count))) =
                (status.map(str::parse), count.map(str::parse::<u64>))
            {
                *statuses.entry(status).or_default() += count;
            }
        }
        Self { statuses, memory: server.memory() }
    }

    /// The number of all requests.
    pub(crate) fn requests(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// The number of requests of one status class, 2 for 2xx.
    pub(crate) fn requests_of(&self, class: u16) -> u64 {
        self.statuses.range(class * 100..(class + 1) * 100).map(|(_, count)| count).sum()
    }

    /// Prints the metrics.
    pub(crate) fn show(&self) {
        let classes = (2..=5).map(|class| format!("{} of {class}xx", self.requests_of(class)));
        let classes = classes.collect::<Vec<_>>().join(", ");
        console::line(&format!(
            "{} requests: {classes}; {} MiB resident",
            self.requests(),
            self.memory >> 20
        ));
        let statuses = self.statuses.iter().map(|(status, count)| format!("{status}: {count}"));
        console::line(&format!("  {}", statuses.collect::<Vec<_>>().join(", ")));
    }
}
