//! The fake mail server as a process, and its accepted e-mails.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{FaultMode, Process, binary};

/// An accepted e-mail.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The job that its Message-ID names, as 32 hexadecimal digits.
    pub job: String,
    /// The recipient, in lower case.
    pub to: String,
    /// Whether the connection was closed without an answer, so the client must send it again.
    pub is_cut: bool,
    /// Time of acceptance by the clock of the mail server, in microseconds since 1970.
    pub accepted_at: i64,
    /// When this process read it.
    pub at: Instant,
}

/// A mail server that runs until this is dropped.
pub struct FakeSmtpProcess {
    _process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    list: PathBuf,
    read: u64,
    all: Vec<Delivery>,
    /// The value for `INSULA_SMTP_URL`.
    pub url: String,
}

impl FakeSmtpProcess {
    /// Starts a server that accepts all e-mails and lists them in `folder`.
    ///
    /// # Errors
    /// A sentence when it does not start.
    pub fn start(folder: &Path) -> Result<Self, String> {
        let list = folder.join("mails");
        let mut command = Command::new(binary("fake-smtp"));
        command.arg(&list).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process =
            Process::start(&mut command, "TERM").map_err(|error| format!("fake-smtp: {error}"))?;
        let pipes = process.pipes();
        let (Some(input), Some(output)) = (pipes.stdin.take(), pipes.stdout.take()) else {
            return Err("fake-smtp has no pipes".to_owned());
        };
        let mut output = BufReader::new(output);
        let ready = read_line(&mut output)?;
        let url = ready.strip_prefix("fake-smtp listens on ").ok_or("fake-smtp does not start")?.to_owned();
        Ok(Self { _process: process, input, output, list, read: 0, all: Vec::new(), url })
    }

    /// Sets the fault mode; returns when it is in effect.
    ///
    /// # Errors
    /// A sentence when it does not answer.
    pub fn set_mode(&mut self, mode: FaultMode) -> Result<(), String> {
        writeln!(self.input, "{mode}").map_err(|error| format!("fake-smtp: {error}"))?;
        let read_line = read_line(&mut self.output)?;
        if read_line == mode.to_string() { Ok(()) } else { Err(format!("fake-smtp says {read_line}")) }
    }

    /// Reads new e-mails; returns all, in order.
    pub fn refresh(&mut self) -> &[Delivery] {
        let mut text = String::new();
        let read = std::fs::File::open(&self.list).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.read_to_string(&mut text)
        });
        if read.is_ok() {
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            self.read += whole as u64;
            let at = Instant::now();
            self.all.extend(text[..whole].lines().filter_map(|line| delivery(line, at)));
        }
        &self.all
    }

    /// All e-mails of the last refresh.
    pub fn all(&self) -> &[Delivery] {
        &self.all
    }

    /// Number of acceptances by job, and number of acceptances without an answer.
    pub fn count(&mut self) -> (HashMap<String, u64>, u64) {
        let mut times = HashMap::new();
        let all = self.refresh();
        all.iter().for_each(|delivery| *times.entry(delivery.job.clone()).or_default() += 1);
        (times, all.iter().filter(|delivery| delivery.is_cut).count() as u64)
    }
}

fn read_line(output: &mut BufReader<ChildStdout>) -> Result<String, String> {
    let mut line = String::new();
    output.read_line(&mut line).map_err(|error| format!("fake-smtp: {error}"))?;
    Ok(line.trim_end().to_owned())
}

fn delivery(line: &str, at: Instant) -> Option<Delivery> {
    let mut parts = line.split('\t');
    let job = parts.next()?.split('@').next()?.replace('-', "");
    let to = parts.next()?.to_lowercase();
    let is_cut = parts.nth(1)? == "cut";
    Some(Delivery { job, to, is_cut, accepted_at: parts.next()?.parse().ok()?, at })
}

/// Interval of polling for e-mails.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);
