//! What a process tells of itself: logs, [`metrics`], and whether it lives ([`Pulse`]).
//!
//! Logs are alike in every process: coloured on a terminal in development, JSON lines in production; always on stderr.

pub mod metrics;
mod heartbeat;

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

pub use self::heartbeat::Heartbeat;
use crate::runtime::config::Environment;

/// The lines that take signed checkpoints of audit logs out of the database: for those who keep them elsewhere.
const CHECKPOINTS: &str = "insula::audit::checkpoint";

/// What is asked for; in development without the checkpoints, unless they are named.
fn directives(environment: Environment, filter: &str) -> String {
    match environment {
        Environment::Development if !filter.contains(CHECKPOINTS) => format!("{filter},{CHECKPOINTS}=warn"),
        _ => filter.to_owned(),
    }
}

/// Starts logging. `filter`: directives as in `RUST_LOG`; an unreadable one falls back to `info`.
///
/// Colours only where stderr is a terminal and `no_color` is not set (no-color.org).
pub fn init(environment: Environment, filter: &str, no_color: bool) {
    let filter =
        EnvFilter::try_new(directives(environment, filter)).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // A second start (tests) keeps the first one's logs.
    let _started = match environment {
        Environment::Development => {
            registry.with(lines.with_ansi(!no_color && stderr().is_terminal())).try_init()
        }
        Environment::Production => {
            registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_shows_checkpoints_where_they_are_named() {
        let quiet = directives(Environment::Development, "info");
        assert_eq!(quiet, "info,insula::audit::checkpoint=warn");
        assert!(
            EnvFilter::try_new(quiet).is_ok()
                && EnvFilter::try_new(directives(Environment::Development, "")).is_ok()
        );
        let named = "warn,insula::audit::checkpoint=info";
        assert_eq!(directives(Environment::Development, named), named);
        assert_eq!(directives(Environment::Production, "info"), "info");
    }
}
