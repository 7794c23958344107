//! The log filter of the process, which operators can change while it runs.

use std::{str::FromStr, sync::OnceLock};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Registry,
    filter::{ParseError, Targets},
    reload::{self, Handle, Layer},
};

/// Targets of the product begin with it. Those of other crates can show what clients send.
const OWN_TARGET: &str = "insula";

static CURRENT: OnceLock<LogFilter> = OnceLock::new();

struct LogFilter {
    /// The directives of the configuration.
    configured: String,
    handle: Handle<EnvFilter, Registry>,
}

/// Why a change of the log filter was refused.
#[derive(Debug, thiserror::Error)]
pub enum LogFilterError {
    /// The directives cannot be parsed.
    #[error("the filter must be directives such as insula=debug,sqlx=info: {0}")]
    Invalid(#[from] ParseError),
    /// A directive would show more than `info` of a target outside of the product.
    #[error("only targets of insula can be more verbose than info, as in insula=debug")]
    Foreign,
    /// The process does not write logs.
    #[error(transparent)]
    Unavailable(#[from] reload::Error),
}

/// Creates the filter of a process. Directives that are invalid fall back to `info`.
pub(super) fn configured(directives: String) -> Layer<EnvFilter, Registry> {
    let filter = EnvFilter::try_new(&directives).unwrap_or_else(|_| EnvFilter::new("info"));
    let (layer, handle) = Layer::new(filter);
    // In tests, a second call keeps the first filter.
    drop(CURRENT.set(LogFilter { configured: directives, handle }));
    layer
}

/// Returns the directives in use. `None` if the process does not write logs.
pub fn current() -> Option<String> {
    CURRENT.get()?.handle.with_current(EnvFilter::to_string).ok()
}

/// Adds directives to those of the configuration, in place of those that were added before. `""` returns to the configuration.
///
/// # Errors
/// See [`LogFilterError`].
pub fn change(added: &str) -> Result<(), LogFilterError> {
    let targets = Targets::from_str(added)?;
    let is_foreign = |(target, level): (&str, LevelFilter)| {
        level > LevelFilter::INFO && target.split("::").next().is_none_or(|name| !is_own(name))
    };
    if targets.iter().any(is_foreign)
        || targets.default_level().is_some_and(|level| level > LevelFilter::INFO)
    {
        return Err(LogFilterError::Foreign);
    }
    let Some(LogFilter { configured, handle }) = CURRENT.get() else { return Ok(()) };
    let directives = [configured, added].map(str::trim).join(",");
    handle.reload(EnvFilter::builder().parse_lossy(directives))?;
    Ok(())
}

/// Is it the name of a crate of the product?
fn is_own(name: &str) -> bool {
    name.strip_prefix(OWN_TARGET).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_targets_of_the_product_can_be_verbose() {
        for allowed in ["", "insula=trace", "insula_core::storage=debug,sqlx=info", "warn", "hyper=off"] {
            assert!(change(allowed).is_ok(), "{allowed}");
        }
        for foreign in
            ["debug", "trace", "sqlx=debug", "insulated=debug", "insula=debug,h2=trace", "[span]=debug"]
        {
            assert!(matches!(change(foreign), Err(LogFilterError::Foreign)), "{foreign}");
        }
        for invalid in ["insula=loud", "a=b=c"] {
            assert!(matches!(change(invalid), Err(LogFilterError::Invalid(_))), "{invalid}");
        }
    }
}
