//! Errors of commands: a text that says what to do, and the exit code.

use std::{fmt, process::ExitCode};

use insula_core::runtime::config::ConfigError;

/// Why a command failed.
#[derive(Debug)]
pub(super) struct CliError {
    code: u8,
    text: String,
}

impl CliError {
    /// The command failed.
    pub(super) fn failed(text: impl fmt::Display) -> Self {
        Self { code: 1, text: text.to_string() }
    }

    /// A service or port is unavailable (`EX_UNAVAILABLE`).
    pub(super) fn unavailable(text: impl fmt::Display) -> Self {
        Self { code: 69, text: text.to_string() }
    }

    /// The configuration is invalid (`EX_CONFIG`).
    pub(super) fn config(text: impl fmt::Display) -> Self {
        Self { code: 78, text: text.to_string() }
    }

    /// An error of the database that `setting` names.
    pub(super) fn of_database(setting: &str, error: &insula_migrations::Error) -> Self {
        use insula_migrations::Error;
        let text = format!("{setting}: {error}");
        match error {
            Error::Url | Error::DatabaseRoles { .. } | Error::Schema | Error::Unreadable => {
                Self::config(text)
            }
            Error::Database(_) | Error::File { .. } | Error::Unreachable { .. } => Self::unavailable(text),
        }
    }

    /// Prints the text, with a prefix on each line, and returns the exit code.
    #[expect(clippy::print_stderr, reason = "the one place where commands complain")]
    pub(super) fn report(&self) -> ExitCode {
        for line in self.text.lines() {
            eprintln!("insula: {line}");
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::config(error)
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}

impl From<insula_core::Error> for CliError {
    fn from(error: insula_core::Error) -> Self {
        use insula_core::Error;
        match &error {
            Error::Unavailable { .. } | Error::DatabaseUnreachable => Self::unavailable(
                "the database does not respond; check DATABASE_URL, and that the database is running",
            ),
            Error::Misconfigured(text) => Self::config(text),
            Error::Storage(cause) => Self::unavailable(format!("database error: {cause}")),
            Error::Invalid(_, fields) => Self::failed(
                fields
                    .iter()
                    .map(|error| format!("{}: {}", error.field, error.message))
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            _ => Self::failed(error),
        }
    }
}
