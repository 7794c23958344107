//! Output for people: with colours in a terminal, plain in a pipe and with `NO_COLOR` (no-color.org).

use std::{
    ffi::OsString,
    io::{IsTerminal, Write, stderr, stdout},
};

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "1;31";
const YELLOW: &str = "33";

pub(crate) struct Screen {
    colors_output: bool,
    colors_errors: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let may_color = variable("NO_COLOR").is_none_or(|value| value.is_empty())
            && variable("TERM").is_none_or(|term| term != "dumb");
        Self {
            colors_output: may_color && stdout().is_terminal(),
            colors_errors: may_color && stderr().is_terminal(),
        }
    }

    pub(crate) fn print(&self, text: &str) {
        // A reader that closes the pipe has seen enough.
        drop(stdout().write_all(text.as_bytes()));
    }

    pub(crate) fn title(&self, text: &str) {
        self.print(&format!("{}\n", paint(self.colors_output, BOLD, text)));
    }

    /// One file that was written.
    pub(crate) fn change(&self, path: &str, is_new: bool) {
        let (color, verb) = if is_new { (GREEN, "create") } else { (YELLOW, "change") };
        self.print(&format!("  {} {path}\n", paint(self.colors_output, color, verb)));
    }

    pub(crate) fn error(&self, text: &str) {
        drop(writeln!(stderr(), "{} {text}", paint(self.colors_errors, RED, "error:")));
    }
}

#[expect(clippy::disallowed_methods, reason = "a tool of development has no settings")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn paint(is_colored: bool, color: &str, text: &str) -> String {
    if is_colored { format!("\u{1b}[{color}m{text}\u{1b}[0m") } else { text.to_owned() }
}
