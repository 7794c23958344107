//! Why a task failed.

use std::fmt;

/// Sentences for people, and whether the command line was wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    message: String,
    is_usage: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_usage: false }
    }

    /// The command line was wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_usage: true }
    }

    /// The same with one more sentence.
    pub(crate) fn and(self, sentence: &str) -> Self {
        let end = if self.message.ends_with('.') { "" } else { "." };
        Self { message: format!("{}{end} {sentence}", self.message), ..self }
    }

    /// The exit status: 2 for a wrong command line, otherwise 1.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.is_usage { 2 } else { 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
