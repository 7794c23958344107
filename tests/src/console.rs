//! Console output: permanent lines, and on a terminal a progress line.

use std::io::{IsTerminal, Write, stderr, stdout};

use crate::setting;

/// Prints progress, only on a terminal. The next line overwrites it.
pub fn progress(text: &str) {
    if stderr().is_terminal() {
        let text: String = text.chars().take(78).collect();
        let written = write!(stderr(), "\r\x1b[K{text}");
        drop(written.and_then(|()| stderr().flush()));
    }
}

/// Prints a permanent line.
pub fn line(text: &str) {
    progress("");
    drop(writeln!(stdout(), "{text}"));
}

/// Prints a title, bold on a terminal.
pub fn title(text: &str) {
    let is_plain = !stdout().is_terminal() || setting("NO_COLOR").is_some_and(|value| !value.is_empty());
    line(&if is_plain { format!("\n== {text}") } else { format!("\n\x1b[1m== {text}\x1b[0m") });
}

/// Prints a Markdown table.
pub fn table(head: &[&str], rows: &[Vec<String>]) {
    line(markdown_table(head, rows).trim_end());
}

/// A Markdown table with aligned columns: the first one to the left, the others to the right.
pub fn markdown_table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let widths: Vec<_> = (0..head.len())
        .map(|column| all().map(|row| row[column].chars().count()).max().unwrap_or_default().max(2))
        .collect();
    let rule = widths.iter().enumerate().map(|(column, width)| match column {
        0 => "-".repeat(*width),
        _ => format!("{}:", "-".repeat(width - 1)),
    });
    let rule: Vec<_> = rule.collect();
    let mut table = String::new();
    for row in [&head, &rule].into_iter().chain(rows) {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        table += &format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    table
}
