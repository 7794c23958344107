//! A bounded queue of records (spans, log lines), and the task that exports them. A full queue drops records, so that no
//! request ever waits for a collector.

use std::{fmt::Debug, time::Duration};

use opentelemetry_sdk::error::OTelSdkResult;
use tokio::{
    sync::mpsc::{self, Receiver, Sender, WeakSender},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use super::failure_log::FailureLog;

/// How records are collected into exports.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimits {
    /// Maximum wait of a record.
    pub(super) delay: Duration,
    /// Maximum number of records that wait.
    pub(super) queue: usize,
    /// Maximum number of records in one export.
    pub(super) batch: usize,
    /// Maximum duration of one export.
    pub(super) timeout: Duration,
}

/// Why records are not exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DropReason {
    /// Too many records wait.
    QueueFull,
    /// The collector did not accept them.
    ExportFailed,
}

impl DropReason {
    /// The label of metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::ExportFailed => "export_failed",
        }
    }
}

/// Sends one kind of records to a collector.
pub(super) trait BatchExporter: Send + Sync + 'static {
    /// The kind of records.
    type Record: Debug + Send + 'static;
    /// Its name in log lines and errors: `traces` or `logs`.
    const SIGNAL: &'static str;

    /// Sends records.
    fn export(&self, batch: Vec<Self::Record>) -> impl Future<Output = OTelSdkResult> + Send;

    /// Counts records that are dropped.
    fn count_dropped(reason: DropReason, records: u64);
}

/// The sending end of the queue. It does not keep the queue open.
#[derive(Debug)]
pub(super) struct RecordQueue<E: BatchExporter>(WeakSender<E::Record>);

impl<E: BatchExporter> RecordQueue<E> {
    /// Adds a record, or drops it if the queue is full or closed. Never waits.
    pub(super) fn push(&self, record: E::Record) {
        let is_queued = self.0.upgrade().is_some_and(|queue| queue.try_send(record).is_ok());
        if !is_queued {
            E::count_dropped(DropReason::QueueFull, 1);
        }
    }
}

/// The background export of one kind of records.
#[derive(Debug)]
pub(super) struct RecordExport<E: BatchExporter> {
    queue: Sender<E::Record>,
    task: JoinHandle<()>,
}

impl<E: BatchExporter> RecordExport<E> {
    /// Exports the records that wait, within `limit`. Later records are dropped.
    pub(super) async fn finish(self, limit: Duration) {
        let Self { queue, mut task } = self;
        // The last sender: the task ends when the queue is empty.
        drop(queue);
        if timeout(limit, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("the last {} were not exported in time", E::SIGNAL);
        }
    }
}

/// Starts the export in the background.
pub(super) fn open<E: BatchExporter>(exporter: E, limits: BatchLimits) -> (RecordQueue<E>, RecordExport<E>) {
    let (queue, records) = mpsc::channel(limits.queue);
    #[expect(clippy::disallowed_methods, reason = "`RecordExport::finish` waits for it")]
    let task = tokio::spawn(export(records, exporter, limits));
    (RecordQueue(queue.downgrade()), RecordExport { queue, task })
}

/// Exports until the queue is closed and empty.
async fn export<E: BatchExporter>(mut records: Receiver<E::Record>, exporter: E, limits: BatchLimits) {
    let failures = FailureLog::new(E::SIGNAL);
    while let Some(first) = records.recv().await {
        let mut batch = vec![first];
        let until = Instant::now() + limits.delay;
        while batch.len() < limits.batch {
            let free = limits.batch - batch.len();
            match timeout_at(until, records.recv_many(&mut batch, free)).await {
                Ok(received) if received > 0 => {}
                // The time is over, or the queue is closed.
                _ => break,
            }
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let exported = match timeout(limits.timeout, exporter.export(batch)).await {
            Ok(exported) => exported.map_err(|error| error.to_string()),
            Err(_) => Err("the collector does not respond in time".to_owned()),
        };
        if let Err(error) = exported {
            E::count_dropped(DropReason::ExportFailed, count);
            failures.warn(&error);
        }
    }
}
