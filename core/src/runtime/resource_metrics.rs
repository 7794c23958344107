//! Metrics of this process and of its tokio runtime, with the names of OpenTelemetry. They are read when metrics are
//! requested, so they cost nothing in between.
//!
//! Instruments that are created before [`super::telemetry::metrics::init`] record nothing.

use std::{fs, time::Instant};

use opentelemetry::{KeyValue, metrics::AsyncInstrument};

use super::telemetry::metrics::meter;

/// Ticks per second of the CPU times in `/proc`: `USER_HZ`, which is 100 on every current architecture of Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Registers a gauge without labels. Units in braces, such as `{server}`, are no part of the name that Prometheus shows.
/// `read` runs when metrics are requested; `None` leaves the gauge out.
pub fn observe_gauge(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    read: impl Fn() -> Option<f64> + Send + Sync + 'static,
) {
    let meter = meter();
    let gauge = meter.f64_observable_gauge(name).with_unit(unit).with_description(help);
    gauge
        .with_callback(move |gauge| {
            if let Some(value) = read() {
                gauge.observe(value, &[]);
            }
        })
        .build();
}

/// Registers the metrics of this process and of the tokio runtime in which it is called.
pub fn observe_process() {
    let started = Instant::now();
    observe_gauge("process.uptime", "s", "Time since the process started", move || {
        Some(started.elapsed().as_secs_f64())
    });
    meter()
        .f64_observable_counter("process.cpu.time")
        .with_unit("s")
        .with_description("CPU time of the process")
        .with_callback(|counter| {
            let Some((user, system)) = cpu_times() else { return };
            counter.observe(user, &[KeyValue::new("cpu.mode", "user")]);
            counter.observe(system, &[KeyValue::new("cpu.mode", "system")]);
        })
        .build();
    observe_count("process.memory.usage", "By", "Physical memory of the process", || {
        status_number("VmRSS:").map(|kilobytes| kilobytes * 1024)
    });
    observe_count("process.thread.count", "{thread}", "Threads of the process", || status_number("Threads:"));
    observe_count(
        "process.unix.file_descriptor.count",
        "{file_descriptor}",
        "Open files and connections of the process",
        || i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok(),
    );
    observe_count(
        "insula.process.file_descriptor.limit",
        "{file_descriptor}",
        "Open files and connections that the system allows the process",
        file_limit,
    );
    observe_tokio();
}

fn observe_tokio() {
    let Ok(handle) = tokio::runtime::Handle::try_current() else { return };
    let runtime = handle.metrics();
    let workers = runtime.clone();
    observe_count("tokio.workers", "{thread}", "Threads that run async tasks", move || {
        i64::try_from(workers.num_workers()).ok()
    });
    let alive = runtime.clone();
    observe_count("tokio.tasks.alive", "{task}", "Async tasks that have not ended", move || {
        i64::try_from(alive.num_alive_tasks()).ok()
    });
    let queue = runtime.clone();
    observe_count("tokio.global_queue.depth", "{task}", "Async tasks that wait for any worker", move || {
        i64::try_from(queue.global_queue_depth()).ok()
    });
    meter()
        .f64_observable_counter("tokio.workers.busy_time")
        .with_unit("s")
        .with_description("Time during which the workers were busy, all together")
        .with_callback(move |counter| {
            let busy = (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker));
            counter.observe(busy.map(|busy| busy.as_secs_f64()).sum(), &[]);
        })
        .build();
}

/// Registers a number that rises and falls.
fn observe_count(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    read: impl Fn() -> Option<i64> + Send + Sync + 'static,
) {
    let observe = move |count: &dyn AsyncInstrument<i64>| {
        if let Some(value) = read() {
            count.observe(value, &[]);
        }
    };
    let meter = meter();
    let count = meter.i64_observable_up_down_counter(name).with_unit(unit).with_description(help);
    count.with_callback(observe).build();
}

/// The CPU times of the process in user and in system mode, in seconds.
fn cpu_times() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in parentheses and can contain spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).map(|ticks| ticks.parse::<f64>().ok());
    Some((fields.next()?? / TICKS_PER_SECOND, fields.next()?? / TICKS_PER_SECOND))
}

/// The number of a line in `/proc/self/status`.
fn status_number(name: &str) -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The soft limit of open files. `None`: there is none.
fn file_limit() -> Option<i64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_numbers_of_the_system_are_plausible() {
        let (user, system) = cpu_times().unwrap();
        assert!(user + system < 3600.0 && user >= 0.0 && system >= 0.0, "{user} {system}");
        assert!(status_number("VmRSS:").unwrap() > 1024);
        assert!(status_number("Threads:").unwrap() >= 2, "the test runs in a thread of its own");
        assert!(file_limit().is_none_or(|files| files > 16));
        assert_eq!(status_number("NoSuchLine:"), None);
    }
}
