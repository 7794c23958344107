//! What a process reports about itself: logs, [`metrics`], [`traces`], and whether it runs ([`Heartbeat`]).
//!
//! Logs have the same format in every process: coloured on a terminal in development, JSON lines in production; always
//! on stderr, and also in files and at a collector if the settings say so.

pub mod metrics;
mod failure_log;
mod batch;
pub mod log_filter;
mod log_drops;
mod log_files;
pub mod traces;
mod otlp;
mod heartbeat;

use std::io::{IsTerminal, stderr};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

pub use self::{heartbeat::Heartbeat, log_files::LogFilesGuard, otlp::TelemetryExport};
use self::{log_files::LogFiles, otlp::LogExportLayer};
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

/// Starts logging. Directives of `RUST_LOG` that are invalid fall back to `info`. `process`: the name of the log files of a
/// process that writes some where `INSULA_LOG_DIR` is set. The last lines are in the files when the guard is dropped.
///
/// Colours are used only if stderr is a terminal and `NO_COLOR` is not set (no-color.org).
///
/// # Errors
/// One line with the setting if the files cannot be written.
pub fn init(config: &Config, process: Option<&str>) -> Result<LogFilesGuard, ConfigError> {
    let filter = log_filter::configured(directives(config.environment, &config.log));
    let files = config.log_dir.as_deref().zip(process).map(|(folder, process)| {
        LogFiles::open(folder, process).map_err(|error| {
            ConfigError(vec![format!(
                "INSULA_LOG_DIR: cannot write log files in {}: {error}",
                folder.display()
            )])
        })
    });
    let files = files.transpose()?;
    let is_coloured = config.no_color.is_none() && stderr().is_terminal();
    let mut layers = vec![match config.environment {
        Environment::Development => fmt::layer().with_writer(stderr).with_ansi(is_coloured).boxed(),
        Environment::Production => json(stderr),
    }];
    let mut guard = LogFilesGuard::default();
    if let Some(files) = files {
        guard = files.guard;
        layers.push(json(files.lines));
        layers.push(json(files.errors).with_filter(LevelFilter::ERROR).boxed());
    }
    layers.push(LogExportLayer.boxed());
    // In tests, a second call keeps the first subscriber.
    let _started = tracing_subscriber::registry().with(filter).with(layers).try_init();
    Ok(guard)
}

/// Writes one JSON object a line.
fn json<S, W>(writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer).boxed()
}

/// Starts the metrics of this process, and the exports of traces, metrics and logs that the settings ask for. Must be called inside
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
