//! What the results are compared with.

use super::report::Report;

/// A goal, and what was measured.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) measured: f64,
    /// At least this, or at most.
    pub(super) limit: f64,
    pub(super) is_least: bool,
    pub(super) unit: &'static str,
}

impl Target {
    fn least(name: impl Into<String>, measured: f64, limit: f64) -> Self {
        Self { name: name.into(), measured, limit, is_least: true, unit: "" }
    }

    fn most(name: impl Into<String>, measured: f64, limit: f64, unit: &'static str) -> Self {
        Self { name: name.into(), measured, limit, is_least: false, unit }
    }

    pub(super) fn holds(&self) -> bool {
        if self.is_least { self.measured >= self.limit } else { self.measured <= self.limit }
    }
}

/// The goals for a run on PostgreSQL.
pub(super) fn targets(report: &Report) -> Vec<Target> {
    let rate = |name: &str| report.work(name).map_or(0.0, |work| work.result.load.rate);
    let of_floor = |name: &str, limit: f64| {
        let ratio = report.work(name).and_then(|work| report.of_floor(work)).unwrap_or_default();
        Target::least(format!("{name}: of the floor"), ratio, limit)
    };
    let of = |name: &str, other: &str, limit: f64| {
        Target::least(format!("{name}: of \"{other}\""), rate(name) / rate(other).max(1.0), limit)
    };
    let mut targets = vec![
        of_floor("health", 0.6),
        of_floor("who am I", 0.3),
        of_floor("my permissions", 0.3),
        of_floor("20 projects", 0.6),
        of_floor("20 projects, deep page", 0.6),
        of_floor("20 tasks with tags", 0.6),
        of_floor("20 time entries with tags", 0.6),
        of_floor("20 time entries, deep page", 0.6),
        of_floor("new project, many", 0.7),
        of_floor("new task, many", 0.7),
        of_floor("new time entry, many", 0.7),
        of("new project, one organization", "new project, many", 0.5),
        of("new task, one organization", "new task, many", 0.5),
        of("new time entry, one member", "new time entry, many", 0.5),
        of("new task, idempotency key", "new task, many", 0.8),
        of_floor("log-in", 0.95),
        of_floor("log-in, 512 connections", 0.95),
        of("health, 512 connections", "health", 0.85),
        of("20 projects, 512 connections", "20 projects", 0.85),
        of("new project, many, 512 connections", "new project, many", 0.85),
    ];
    let errors = report.insula.iter().filter(|work| !work.name.starts_with("log-in"));
    targets.push(Target::most("errors", errors.map(|work| work.result.load.errors).sum(), 0.0, ""));
    let spread = |latency: [f64; 3]| latency[1] / latency[0].max(0.001);
    let at_32 = report.insula.iter().filter(|work| work.connections == 32);
    if let Some(worst) =
        at_32.max_by(|a, b| spread(a.result.load.latency).total_cmp(&spread(b.result.load.latency)))
    {
        let name = format!("p99 / p50 at 32 connections, worst: {}", worst.name);
        targets.push(Target::most(name, spread(worst.result.load.latency), 5.0, ""));
    }
    let start = &report.start;
    targets.extend([
        Target::most("memory, idle", mebibytes(start.idle), 30.0, " MiB"),
        Target::most("memory, after the load", mebibytes(start.loaded), 60.0, " MiB"),
        Target::most("start on the filled database", start.cold_start, 100.0, " ms"),
        Target::most("the program", megabytes(report.binary), 40.0, " MB"),
    ]);
    targets
}

fn mebibytes(bytes: u64) -> f64 {
    (bytes >> 10) as f64 / 1024.0
}

fn megabytes(bytes: u64) -> f64 {
    (bytes / 1000) as f64 / 1000.0
}
