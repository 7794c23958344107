//! What went wrong, what to do next, and the exit code that says which kind it is.

use std::{fmt, process::ExitCode};

use insula_core::runtime::config::ConfigError;

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Fault {
    code: u8,
    text: String,
}

impl Fault {
    /// It could not be done.
    pub(super) fn failed(text: impl fmt::Display) -> Self {
        Self { code: 1, text: text.to_string() }
    }

    /// Something it needs is not there (`EX_UNAVAILABLE`).
    pub(super) fn unavailable(text: impl fmt::Display) -> Self {
        Self { code: 69, text: text.to_string() }
    }

    /// The configuration is wrong (`EX_CONFIG`).
    pub(super) fn config(text: impl fmt::Display) -> Self {
        Self { code: 78, text: text.to_string() }
    }

    /// Of a database that `setting` names.
    pub(super) fn of_database(setting: &str, error: &insula_migrations::Error) -> Self {
        use insula_migrations::Error;
        let text = format!("{setting}: {error}");
        match error {
            Error::Url | Error::Hats { .. } | Error::Schema | Error::Unreadable => Self::config(text),
            Error::Database(_) | Error::File { .. } | Error::Unreachable { .. } => Self::unavailable(text),
        }
    }

    /// Tells it, one line each, and gives the exit code.
    #[expect(clippy::print_stderr, reason = "the one place where commands complain")]
    pub(super) fn report(&self) -> ExitCode {
        for line in self.text.lines() {
            eprintln!("insula: {line}");
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Self::config(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}

impl From<insula_core::Error> for Fault {
    fn from(error: insula_core::Error) -> Self {
        use insula_core::Error;
        match &error {
            Error::Unavailable { .. } | Error::Away => {
                Self::unavailable("the database does not answer; check DATABASE_URL and that it runs")
            }
            Error::Misconfigured(text) => Self::config(text),
            Error::Storage(cause) => Self::unavailable(format!("the database failed: {cause}")),
            Error::Invalid(_, fields) => Self::failed(
                fields
                    .iter()
                    .map(|fault| format!("{}: {}", fault.field, fault.message))
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            _ => Self::failed(error),
        }
    }
}
