//! Metrics: OpenTelemetry instruments, shown as Prometheus text on the ops port.
//!
//! Every instrument is in one table, and only the functions of this file record them. A label has few values: routes,
//! queues and names in this program. It is never the id of a user or organization, or a text that a client sent. Before
//! [`init`], as in commands that serve nothing, recording does nothing.

use std::{borrow::Cow, sync::OnceLock, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter, MeterProvider, UpDownCounter},
};
use opentelemetry_sdk::{
    Resource,
    metrics::{SdkMeterProvider, reader::MetricReader},
};
use prometheus::{Registry, TextEncoder};

/// Upper bounds in seconds, as OpenTelemetry recommends for HTTP servers.
const REQUEST_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Upper bounds in seconds, as OpenTelemetry recommends for databases.
pub(crate) const DATABASE_BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Upper bounds in seconds for background work.
const SCHEDULE_BUCKETS: &[f64] = &[0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0];

static METRICS: OnceLock<Metrics> = OnceLock::new();

struct Metrics {
    registry: Registry,
    instruments: Instruments,
    /// Keeps the instruments alive.
    provider: SdkMeterProvider,
}

macro_rules! instruments { ($($field:ident: $kind:ident$(($bounds:ident))? = $name:literal, $unit:literal, $help:literal;)+) => {
    struct Instruments { $($field: instruments!(@type $kind)),+ }

    impl Instruments {
        fn new(meter: &Meter) -> Self {
            Self { $(
                $field: instruments!(@new meter $kind $name)
                    $(.with_boundaries($bounds.to_vec()))?
                    .with_unit($unit).with_description($help).build()
            ),+ }
        }
    }
};
    (@type counter) => { Counter<u64> };
    (@type count) => { Gauge<u64> };
    (@type gauge) => { Gauge<f64> };
    (@type level) => { UpDownCounter<i64> };
    (@type histogram) => { Histogram<f64> };
    (@new $meter:ident counter $name:literal) => { $meter.u64_counter($name) };
    (@new $meter:ident count $name:literal) => { $meter.u64_gauge($name) };
    (@new $meter:ident gauge $name:literal) => { $meter.f64_gauge($name) };
    (@new $meter:ident level $name:literal) => { $meter.i64_up_down_counter($name) };
    (@new $meter:ident histogram $name:literal) => { $meter.f64_histogram($name) };
}

// Document new instruments in docs/operations.md.
instruments! {
    requests: histogram(REQUEST_BUCKETS) = "http.server.request.duration", "s", "Duration of HTTP requests";
    active: level = "http.server.active_requests", "{request}", "HTTP requests that are not answered yet";
    shed: counter = "insula.requests.shed", "{request}", "Requests refused because too many were in progress";
    operations: histogram(DATABASE_BUCKETS) = "db.client.operation.duration", "s", "Duration of database statements and of scripts in Redis";
    jobs: histogram(REQUEST_BUCKETS) = "messaging.process.duration", "s", "Duration of job attempts";
    retries: counter = "insula.jobs.retries", "{attempt}", "Failed job attempts that will be retried";
    dead: counter = "insula.jobs.dead", "{job}", "Jobs that failed permanently";
    lease_expired: counter = "insula.jobs.lease_expired", "{job}", "Jobs whose lease expired because their worker stopped responding";
    depth: count = "insula.jobs.depth", "{job}", "Pending and dead jobs in the whole database";
    oldest: gauge = "insula.jobs.oldest_pending_age", "s", "Age of the oldest due job";
    emails: counter = "insula.emails", "{email}", "Attempts to send an e-mail, by result";
    sessions: count = "insula.sessions.active", "{session}", "Sessions in the whole database that are neither revoked nor expired";
    sealed: counter = "insula.audit.sealed", "{event}", "Audit events sealed by this process";
    unsealed: gauge = "insula.audit.flush.lag", "s", "Age of the oldest audit event that is not sealed yet";
    runs: counter = "insula.schedule.runs", "{run}", "Runs of scheduled tasks by this process";
    durations: histogram(SCHEDULE_BUCKETS) = "insula.schedule.duration", "s", "Duration of scheduled tasks";
    rows: counter = "insula.schedule.rows", "{row}", "Rows removed by scheduled tasks";
    dropped: counter = "insula.traces.dropped", "{span}", "Finished spans that were not exported";
}

/// Starts recording, for the ops port and for another `reader`. `resource` describes this process. Further calls do nothing.
///
/// # Errors
/// The error of the exporter; the process can run without metrics.
pub(super) fn init(
    resource: Resource,
    reader: Option<impl MetricReader>,
) -> Result<SdkMeterProvider, String> {
    if let Some(metrics) = METRICS.get() {
        return Ok(metrics.provider.clone());
    }
    let registry = Registry::new();
    let exporter =
        opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false);
    let exporter = exporter.build().map_err(|error| format!("cannot initialize metrics: {error}"))?;
    let builder = SdkMeterProvider::builder().with_reader(exporter).with_resource(resource);
    let provider = match reader {
        Some(reader) => builder.with_reader(reader).build(),
        None => builder.build(),
    };
    let instruments = Instruments::new(&provider.meter("insula"));
    Ok(METRICS.get_or_init(|| Metrics { registry, instruments, provider }).provider.clone())
}

/// The meter, for the instruments of other modules. Before [`init`], they record nothing.
pub(crate) fn meter() -> Meter {
    METRICS
        .get()
        .map_or_else(|| opentelemetry::global::meter("insula"), |metrics| metrics.provider.meter("insula"))
}

/// All metrics in Prometheus' text format 0.0.4; empty before [`init`].
pub fn render() -> String {
    let Some(metrics) = METRICS.get() else { return String::new() };
    TextEncoder::new().encode_to_string(&metrics.registry.gather()).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot encode the metrics");
        String::new()
    })
}

fn instruments() -> Option<&'static Instruments> {
    METRICS.get().map(|metrics| &metrics.instruments)
}

fn label(key: &'static str, value: impl Into<Cow<'static, str>>) -> KeyValue {
    KeyValue::new(key, value.into())
}

/// The method, if it is a standard one; otherwise `_OTHER`, because clients can send any word.
pub fn known_method(method: &str) -> &'static str {
    const METHODS: &[&str] =
        &["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];
    METHODS.iter().find(|known| **known == method).map_or("_OTHER", |known| *known)
}

/// Records a request that was answered after `seconds`. `route` is its template, never its path; `None` if no route
/// matched.
pub fn request_answered(method: &str, route: Option<&str>, status: u16, seconds: f64) {
    let Some(instruments) = instruments() else { return };
    let method = known_method(method);
    let mut labels = vec![
        label("http.request.method", method),
        KeyValue::new("http.response.status_code", i64::from(status)),
        label("url.scheme", "http"),
    ];
    labels.extend(route.map(|route| label("http.route", route.to_owned())));
    if status >= 500 {
        labels.push(label("error.type", status.to_string()));
    }
    instruments.requests.record(seconds, &labels);
}

/// A request that is not answered yet. It also ends when its future is dropped.
#[derive(Debug)]
pub struct ActiveRequest([KeyValue; 2]);

impl ActiveRequest {
    /// Counts a request with this method until the value is dropped.
    pub fn start(method: &str) -> Self {
        let labels = [label("http.request.method", known_method(method)), label("url.scheme", "http")];
        Self::add(1, &labels);
        Self(labels)
    }

    fn add(requests: i64, labels: &[KeyValue]) {
        if let Some(instruments) = instruments() {
            instruments.active.add(requests, labels);
        }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        Self::add(-1, &self.0);
    }
}

/// Records a request that was refused because too many were in progress.
pub fn request_shed() {
    if let Some(instruments) = instruments() {
        instruments.shed.add(1, &[]);
    }
}

/// Records a statement or script that ended after `duration`. `system`: `postgresql`, `sqlite` or `redis`. `error_type`: why
/// it failed.
pub(crate) fn database_operation(
    system: &'static str,
    operation: &'static str,
    error_type: Option<&'static str>,
    duration: Duration,
) {
    let Some(instruments) = instruments() else { return };
    let labels = [label("db.system.name", system), label("db.operation.name", operation)];
    let seconds = duration.as_secs_f64();
    match error_type {
        None => instruments.operations.record(seconds, &labels),
        Some(error_type) => {
            let [system, operation] = labels;
            instruments.operations.record(seconds, &[system, operation, label("error.type", error_type)]);
        }
    }
}

/// The outcome of a job attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// The job is done.
    Done,
    /// The attempt failed for this kind of reason and will be retried.
    Retry(&'static str),
    /// The job failed permanently, for this kind of reason.
    Dead(&'static str),
}

/// Records an attempt at a job of this queue and kind, which ended after `seconds`.
pub fn job_finished(queue: &'static str, kind: &'static str, outcome: JobOutcome, seconds: f64) {
    let Some(instruments) = instruments() else { return };
    let queue = label("messaging.destination.name", queue);
    let kind = label("messaging.operation.name", kind);
    let mut labels = vec![label("messaging.system", "insula"), queue.clone(), kind.clone()];
    match outcome {
        JobOutcome::Done => {}
        JobOutcome::Retry(reason) => {
            labels.push(label("error.type", reason));
            instruments.retries.add(1, &[queue, kind]);
        }
        JobOutcome::Dead(reason) => {
            labels.push(label("error.type", reason));
            instruments.dead.add(1, &[queue, kind]);
        }
    }
    instruments.jobs.record(seconds, &labels);
}

/// Records jobs of a queue whose lease expired because their worker stopped responding.
pub fn jobs_lease_expired(queue: &'static str, jobs: u64) {
    if let Some(instruments) = instruments() {
        instruments.lease_expired.add(jobs, &[label("messaging.destination.name", queue)]);
    }
}

/// Sets the number of jobs of a queue in this state (`pending`, `dead`).
pub fn jobs_counted(queue: &'static str, state: &'static str, jobs: u64) {
    if let Some(instruments) = instruments() {
        instruments.depth.record(jobs, &[label("queue", queue), label("state", state)]);
    }
}

/// Sets the age of the oldest due job of a queue, in seconds; 0 if none is due.
pub fn oldest_job(queue: &'static str, seconds: f64) {
    if let Some(instruments) = instruments() {
        instruments.oldest.record(seconds, &[label("queue", queue)]);
    }
}

/// Sets the number of active sessions.
pub fn sessions_counted(sessions: u64) {
    if let Some(instruments) = instruments() {
        instruments.sessions.record(sessions, &[]);
    }
}

/// Records sealed audit events.
pub fn audit_sealed(events: u64) {
    if let Some(instruments) = instruments() {
        instruments.sealed.add(events, &[]);
    }
}

/// Sets the age of the oldest audit event that is not sealed, in seconds; 0 if there is none.
pub fn oldest_unsealed(seconds: f64) {
    if let Some(instruments) = instruments() {
        instruments.unsealed.record(seconds, &[]);
    }
}

/// Records an attempt to send an e-mail, with its result (`sent`, `deferred`, …).
pub fn email(template: &'static str, status: &'static str) {
    if let Some(instruments) = instruments() {
        instruments.emails.add(1, &[label("template", template), label("status", status)]);
    }
}

/// Records a run of periodic work, which ended after `seconds` and removed `rows` rows, even if it failed in the end.
pub fn schedule_finished(name: &'static str, is_done: bool, rows: u64, seconds: f64) {
    let Some(instruments) = instruments() else { return };
    let (name, outcome) = (label("name", name), if is_done { "done" } else { "failed" });
    instruments.runs.add(1, &[name.clone(), label("outcome", outcome)]);
    instruments.rows.add(rows, std::slice::from_ref(&name));
    instruments.durations.record(seconds, &[name]);
}

/// Records finished spans that are not exported, for this reason (`queue_full`, `export_failed`).
pub(super) fn spans_dropped(reason: &'static str, spans: u64) {
    if let Some(instruments) = instruments() {
        instruments.dropped.add(spans, &[label("reason", reason)]);
    }
}

#[cfg(test)]
mod tests;
