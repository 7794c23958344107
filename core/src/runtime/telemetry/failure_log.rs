//! Log lines about exports that fail, at most one a minute.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::base::text::error_line;

/// The time between two lines.
const INTERVAL: Duration = Duration::from_secs(60);

/// Logs that a signal cannot be exported.
#[derive(Debug)]
pub(super) struct FailureLog {
    signal: &'static str,
    last: Mutex<Option<Instant>>,
}

impl FailureLog {
    /// For a signal: `traces` or `metrics`.
    pub(super) fn new(signal: &'static str) -> Self {
        Self { signal, last: Mutex::default() }
    }

    /// Logs `error`, unless another one was logged in the last minute.
    pub(super) fn warn(&self, error: &str) {
        if self.is_due(Instant::now()) {
            tracing::warn!(
                error = error_line(error),
                "cannot export {} (OTEL_EXPORTER_OTLP_ENDPOINT); further failures are logged once a minute",
                self.signal
            );
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= INTERVAL);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_a_minute_is_logged() {
        let (log, start) = (FailureLog::new("traces"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let due = [0, 1, 59, 60, 61, 119, 120].map(|second| log.is_due(at(second)));
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
