//! Counts log lines that reached neither a file nor the collector. It never logs, because it is called while logging.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use opentelemetry::KeyValue;

use super::metrics::meter;

/// Where a log line was lost, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogDrop {
    /// Too many lines waited to be written to a file.
    FileQueueFull,
    /// A file could not be written.
    WriteFailed,
    /// Too many lines waited for their export.
    ExportQueueFull,
    /// The collector did not accept the lines.
    ExportFailed,
}

impl LogDrop {
    const ALL: [Self; 4] =
        [Self::FileQueueFull, Self::WriteFailed, Self::ExportQueueFull, Self::ExportFailed];

    const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::FileQueueFull => ("file", "queue_full"),
            Self::WriteFailed => ("file", "write_failed"),
            Self::ExportQueueFull => ("otlp", "queue_full"),
            Self::ExportFailed => ("otlp", "export_failed"),
        }
    }

    /// Counts lines.
    pub(super) fn add(self, lines: u64) {
        DROPPED[self as usize].fetch_add(lines, Relaxed);
    }

    /// The lines so far.
    pub(super) fn count(self) -> u64 {
        DROPPED[self as usize].load(Relaxed)
    }
}

static DROPPED: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// Registers the metric.
pub(super) fn observe() {
    meter()
        .u64_observable_counter("insula.logs.dropped")
        .with_unit("{line}")
        .with_description("Log lines that were not written to a file or not exported")
        .with_callback(|counter| {
            for place in LogDrop::ALL {
                let (destination, reason) = place.labels();
                let labels = [KeyValue::new("destination", destination), KeyValue::new("reason", reason)];
                counter.observe(place.count(), &labels);
            }
        })
        .build();
}
