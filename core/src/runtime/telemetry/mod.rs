//! What a process reports about itself: logs, [`metrics`], [`traces`], and whether it runs ([`Heartbeat`]).
//!
//! Logs have the same format in every process: coloured on a terminal in development, JSON lines in production; always
//! on stderr.

pub mod metrics;
mod failure_log;
pub mod log_filter;
pub mod traces;
mod otlp;
mod heartbeat;

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

pub use self::{heartbeat::Heartbeat, otlp::TelemetryExport};
use crate::runtime::config::{Config, ConfigError, Environment};

/// The target of the log lines with signed checkpoints of audit logs, which operators can store outside of the
/// database.
const CHECKPOINTS: &str = "insula::audit::checkpoint";

/// The filter; in development without checkpoints, unless it names them.
fn directives(environment: Environment, filter: &str) -> String {
    match environment {
        Environment::Development if !filter.contains(CHECKPOINTS) => format!("{filter},{CHECKPOINTS}=warn"),
        _ => filter.to_owned(),
    }
}

/// Starts logging. `filter` has directives as in `RUST_LOG`; an invalid one falls back to `info`.
///
/// Colours are used only if stderr is a terminal and `no_color` is not set (no-color.org).
pub fn init(environment: Environment, filter: &str, no_color: bool) {
    let filter = log_filter::configured(directives(environment, filter));
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // In tests, a second call keeps the first subscriber.
    let _started = match environment {
        Environment::Development => {
            registry.with(lines.with_ansi(!no_color && stderr().is_terminal())).try_init()
        }
        Environment::Production => {
            registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
        }
    };
}

/// Starts the metrics of this process, and the exports of traces and metrics that the settings ask for. Must be called inside
/// the runtime.
///
/// # Errors
/// One line for each setting that prevents an export.
pub fn start_export(config: &Config) -> Result<TelemetryExport, ConfigError> {
    otlp::start(config)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::EnvFilter;

    use super::*;

    #[test]
    fn development_shows_checkpoints_where_they_are_named() {
        let default = directives(Environment::Development, "info");
        assert_eq!(default, "info,insula::audit::checkpoint=warn");
        assert!(
            EnvFilter::try_new(default).is_ok()
                && EnvFilter::try_new(directives(Environment::Development, "")).is_ok()
        );
        let named = "warn,insula::audit::checkpoint=info";
        assert_eq!(directives(Environment::Development, named), named);
        assert_eq!(directives(Environment::Production, "info"), "info");
    }
}
