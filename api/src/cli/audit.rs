//! `insula audit`: verifies an exported audit log. It needs neither the database nor the program that wrote the log.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use insula_core::storage::{
    audit::EventRecord,
    audit_chain::{
        self, BreakReason, ChainBreak, ChainVerifier, ExportLine, SignedStatement, VerificationReport,
    },
    signing_keys::PublicKey,
};
use serde::Deserialize;

use super::{CliError, say};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Verify that an exported audit log is complete and unchanged; names the first event that fails
    Verify(Verify),
}

#[derive(clap::Args)]
pub(super) struct Verify {
    /// The exported log: `GET /api/v1/organizations/{org}/exports/audit-events.jsonl`
    file: PathBuf,
    /// The public keys: `GET /.well-known/audit-keys.json`. Download them separately from the log
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The file is a part of a log: compare each event with its own hash. Missing events cannot be detected
    #[arg(long)]
    selection: bool,
}

pub(super) fn run(command: &Command) -> Result<(), CliError> {
    let Command::Verify(verify) = command;
    let keys = keys(&verify.key)?;
    let mut lines = Lines::open(&verify.file)?;
    let outcome = match verify.selection {
        true => verify_selection(&mut lines),
        false => verify_log(&mut lines, keys),
    };
    lines.bar.finish_and_clear();
    say(outcome?);
    Ok(())
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kid: String,
    x: String,
}

/// Reads the keys of a JSON Web Key Set, or the key of a JSON Web Key (RFC 7517).
fn keys(file: &Path) -> Result<Vec<PublicKey>, CliError> {
    let file_error = |error: &dyn std::fmt::Display| CliError::failed(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| file_error(&error))?;
    let keys = match serde_json::from_str::<KeySet>(&text) {
        Ok(KeySet { keys }) => keys,
        Err(error) => vec![serde_json::from_str::<Key>(&text).map_err(|_| file_error(&error))?],
    };
    let keys: Vec<_> = keys.iter().filter_map(|key| PublicKey::from_jwk(&key.kid, &key.x)).collect();
    match keys.is_empty() {
        true => Err(file_error(&"does not contain an Ed25519 key")),
        false => Ok(keys),
    }
}

/// Reads the lines of an export one after the other, with a progress bar.
struct Lines {
    file: PathBuf,
    reader: BufReader<File>,
    number: u64,
    bar: ProgressBar,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, CliError> {
        let file_error = |error| CliError::failed(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(file_error)?;
        // Shown only on a terminal, and without colours.
        let bar = ProgressBar::new(file.metadata().map_err(file_error)?.len());
        let style =
            ProgressStyle::with_template("{bar:40} {percent:>3} %  {bytes}/{total_bytes}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Ok(Self { file: path.to_owned(), reader: BufReader::new(file), number: 0, bar })
    }

    fn error(&self, error: impl std::fmt::Display) -> CliError {
        CliError::failed(format!("{}, line {}: {error}", self.file.display(), self.number))
    }

    fn next(&mut self) -> Result<Option<ExportLine>, CliError> {
        let mut text = String::new();
        self.number += 1;
        let read = self.reader.read_line(&mut text).map_err(|error| self.error(error))?;
        self.bar.inc(read as u64);
        if read == 0 {
            return Ok(None);
        }
        let line = serde_json::from_str(&text);
        line.map(Some).map_err(|error| self.error(format!("not a line of an audit log: {error}")))
    }

    fn event_record(&self, line: ExportLine) -> Result<EventRecord, CliError> {
        match line {
            ExportLine::Event(event) => event.into_record().map_err(|error| self.error(error)),
            ExportLine::Log { .. } => Err(self.error("another log starts here")),
            ExportLine::Head(_) => Err(self.error("unexpected end of a log")),
        }
    }
}

fn verify_log(lines: &mut Lines, keys: Vec<PublicKey>) -> Result<String, CliError> {
    let Some(ExportLine::Log { version, organization_id, pruned_seq, checkpoints }) = lines.next()? else {
        return Err(lines.error(
            "the first line of a complete log is missing. To check a part of a log that was exported with `from` or `to`, use `--selection`, which compares each event with its own hash",
        ));
    };
    if version != audit_chain::VERSION {
        return Err(lines.error(format!(
            "unsupported log version {version}; this program supports version {}",
            audit_chain::VERSION
        )));
    }
    let started = ChainVerifier::start(organization_id, keys, pruned_seq, checkpoints);
    let mut verifier = started.map_err(|broken| break_error(lines, broken))?;
    let head = loop {
        match lines.next()? {
            None => break None,
            Some(ExportLine::Head(head)) => break Some(head),
            Some(line) => {
                let EventRecord { event, personal } = lines.event_record(line)?;
                verifier.event(&event, personal.as_ref()).map_err(|broken| break_error(lines, broken))?;
            }
        }
    };
    verifier.end(head.as_ref()).map_err(|broken| break_error(lines, broken))?;
    if head.is_some() && lines.next()?.is_some() {
        return Err(lines.error("unexpected data after the end of the log"));
    }
    Ok(success_message(verifier.report(None, head)))
}

fn success_message(report: VerificationReport) -> String {
    let VerificationReport { events, erased, from, head, checkpoint, .. } = report;
    let erased = if erased == 0 {
        String::new()
    } else {
        format!(", {erased} of them without their personal data (erased)")
    };
    let head = head.map_or_else(
        || "no event has been sealed yet".to_owned(),
        |SignedStatement { statement, key_id, .. }| {
            format!("events {from} to {}, signed by {key_id} at {}", statement.seq, statement.time)
        },
    );
    let checkpoint = checkpoint.map_or_else(String::new, |signed| {
        format!("\nLast checkpoint: event {}, hash {}", signed.statement.seq, signed.statement.hash)
    });
    format!("The audit log is intact: {events} events{erased}; {head}.{checkpoint}")
}

fn break_error(lines: &Lines, ChainBreak { why, first, last }: ChainBreak) -> CliError {
    let which = match first == last {
        true => format!("event {first}"),
        false => format!("events {first} to {last}"),
    };
    lines.error(format!("verification failed at {which}. {}", why.sentence()))
}

fn verify_selection(lines: &mut Lines) -> Result<String, CliError> {
    let mut events = 0_u64;
    while let Some(line) = lines.next()? {
        if matches!(line, ExportLine::Log { .. } | ExportLine::Head(_)) {
            return Err(lines.error("this is a complete log: omit `--selection`"));
        }
        let record = lines.event_record(line)?;
        let seq = record.event.seq.unwrap_or_default();
        if !audit_chain::matches_own_hash(&record) {
            return Err(break_error(lines, ChainBreak { why: BreakReason::Altered, first: seq, last: seq }));
        }
        events += 1;
    }
    Ok(format!(
        "Each of the {events} events matches its own hash. A part of a log cannot show whether events are missing."
    ))
}
