//! Log files in the folder of `INSULA_LOG_DIR`: all lines in files of at most 10 MiB, and errors in a file for each day.
//!
//! A thread writes each of the two, so that no request waits for the disk. When the disk is too slow or full, lines are
//! dropped and counted.

use std::{
    fs::DirBuilder,
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, SyncSender},
    thread,
    time::{Duration, Instant},
};

use logroller::{LogRoller, LogRollerBuilder, Rotation, RotationAge, RotationSize, TimeZone};
use tracing_subscriber::fmt::MakeWriter;

use super::log_drops::LogDrop;

/// Maximum number of lines that wait to be written.
const QUEUE: usize = 8192;
/// Number of files that are kept in addition to the current one, of each kind.
const KEPT: u64 = 30;
/// The size from which on the next line begins a new file, in MiB.
const MAX_SIZE: u64 = 10;
/// Time until a file that could not be written is opened again.
const REOPEN: Duration = Duration::from_secs(1);
/// How long the last lines may take when the process stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The two log files of a process.
#[derive(Debug)]
pub(super) struct LogFiles {
    /// Takes all lines.
    pub(super) lines: FileQueue,
    /// Takes errors.
    pub(super) errors: FileQueue,
    /// Ends the threads.
    pub(super) guard: LogFilesGuard,
}

/// Writes the last lines when it is dropped, within two seconds.
#[derive(Debug, Default)]
pub struct LogFilesGuard(Vec<(SyncSender<FileMessage>, Receiver<()>)>);

impl LogFiles {
    /// Opens the files `<process>.jsonl` and `<process>-errors.<date>.jsonl` in `folder`, which is created if it is missing.
    pub(super) fn open(folder: &Path, process: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let file = |name: String, rotation| LogFileSettings { folder: folder.to_owned(), name, rotation };
        let size = Rotation::SizeBased(RotationSize::MB(MAX_SIZE));
        let (lines, lines_end) = start(file(format!("{process}.jsonl"), size))?;
        let day = Rotation::AgeBased(RotationAge::Daily);
        let (errors, errors_end) = start(file(format!("{process}-errors.%Y-%m-%d.jsonl"), day))?;
        let guard = LogFilesGuard(vec![(lines.0.clone(), lines_end), (errors.0.clone(), errors_end)]);
        Ok(Self { lines, errors, guard })
    }
}

impl Drop for LogFilesGuard {
    fn drop(&mut self) {
        for (queue, end) in &self.0 {
            // The queue can be full.
            if queue.try_send(FileMessage::Stop).is_ok() {
                let _ended = end.recv_timeout(FLUSH_TIMEOUT);
            }
        }
    }
}

#[derive(Debug)]
enum FileMessage {
    Line(Vec<u8>),
    Stop,
}

/// The lines that wait to be written to a file.
#[derive(Clone, Debug)]
pub(super) struct FileQueue(SyncSender<FileMessage>);

impl Write for FileQueue {
    /// Adds a line, or drops it if the queue is full. Never waits.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(FileMessage::Line(line.to_vec())).is_err() {
            LogDrop::FileQueueFull.add(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for FileQueue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What one kind of files is called, and when a new one begins.
struct LogFileSettings {
    folder: PathBuf,
    name: String,
    rotation: Rotation,
}

impl LogFileSettings {
    fn open(&self) -> io::Result<LogRoller> {
        let builder =
            LogRollerBuilder::new(&*self.folder, Path::new(&self.name)).rotation(self.rotation.clone());
        // Lines contain IP addresses and ids of users.
        let builder = builder.time_zone(TimeZone::UTC).max_keep_files(KEPT).file_mode(0o600);
        builder.build().map_err(io::Error::other)
    }
}

/// Opens the file, and starts the thread that writes it. The receiver reports that the thread has ended.
fn start(settings: LogFileSettings) -> io::Result<(FileQueue, Receiver<()>)> {
    let file = Some(settings.open()?);
    let (queue, messages) = mpsc::sync_channel(QUEUE);
    let (ended, end) = mpsc::sync_channel(1);
    thread::Builder::new().name("log-file".to_owned()).spawn(move || {
        RotatedFile { file, settings, tried: Instant::now() }.write_all(&messages);
        drop(ended);
    })?;
    Ok((FileQueue(queue), end))
}

/// A file that is opened again after it could not be written.
struct RotatedFile {
    file: Option<LogRoller>,
    settings: LogFileSettings,
    tried: Instant,
}

impl RotatedFile {
    fn write_all(mut self, messages: &Receiver<FileMessage>) {
        while let Ok(FileMessage::Line(line)) = messages.recv() {
            if !self.write(&line) {
                LogDrop::WriteFailed.add(1);
            }
        }
    }

    fn write(&mut self, line: &[u8]) -> bool {
        if self.file.is_none() && self.tried.elapsed() >= REOPEN {
            self.tried = Instant::now();
            self.file = self.settings.open().ok();
        }
        let is_written = self.file.as_mut().is_some_and(|file| file.write_all(line).is_ok());
        if !is_written && self.file.take().is_some() {
            self.tried = Instant::now();
        }
        is_written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_ends_at_its_maximum_size_and_is_opened_again_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation::SizeBased(RotationSize::Bytes(20));
        let settings =
            LogFileSettings { folder: folder.path().to_owned(), name: "test.jsonl".to_owned(), rotation };
        let file = Some(settings.open().unwrap());
        let mut file = RotatedFile { file, settings, tried: Instant::now() };
        assert!(file.write(b"first line\n") && file.write(b"second line\n"));
        let current = folder.path().join("test.jsonl");
        assert_eq!(std::fs::read_to_string(&current).unwrap(), "second line\n");
        // The rotation renames the file, which somebody removed.
        std::fs::remove_file(&current).unwrap();
        assert!(!file.write(b"third line\n"), "it cannot be renamed");
        assert!(!file.write(b"fourth line\n"), "it is not tried again at once");
        file.tried = Instant::now().checked_sub(REOPEN).unwrap();
        assert!(file.write(b"fifth line\n"));
        assert_eq!(std::fs::read_to_string(&current).unwrap(), "fifth line\n");
    }

    #[test]
    fn a_full_queue_drops_lines_and_counts_them() {
        let (queue, _waiting) = mpsc::sync_channel(1);
        let mut queue = FileQueue(queue);
        let before = LogDrop::FileQueueFull.count();
        assert_eq!(queue.write(b"line\n").unwrap() + queue.write(b"lost\n").unwrap(), 10);
        assert_eq!(LogDrop::FileQueueFull.count() - before, 1);
    }
}
