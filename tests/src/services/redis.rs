//! A Redis without persistence.

use std::{
    net::Ipv4Addr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::START;
use crate::process::Process;

/// A Redis server on a free loopback port.
pub struct Redis {
    process: Process,
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    /// The value of `REDIS_URL`.
    pub url: String,
}

impl Redis {
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Self, String> {
        let port = super::free_port()?;
        let process = launch(program, folder, port)?;
        let (program, folder) = (program.to_owned(), folder.to_owned());
        Ok(Self { process, program, folder, port, url: format!("redis://127.0.0.1:{port}") })
    }

    /// Sends SIGKILL. All data is lost.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Sends a signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Starts it again after [`Redis::kill`], on the same port, and waits until it answers.
    ///
    /// # Errors
    /// A sentence when it does not answer.
    pub async fn restart(&mut self) -> Result<(), String> {
        self.process = launch(&self.program, &self.folder, self.port)?;
        self.wait().await
    }

    /// Deletes all data. Does nothing when the server is unavailable.
    pub async fn flush(&self) {
        drop(self.ask("FLUSHALL").await);
    }

    /// The peak memory of its data in bytes.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn peak_memory(&self) -> std::io::Result<u64> {
        let info = self.ask("INFO memory").await?;
        let peak = info.lines().find_map(|line| line.strip_prefix("used_memory_peak:")?.trim().parse().ok());
        peak.ok_or_else(|| std::io::Error::other(info))
    }

    /// Sends a command on a new connection; returns the answer.
    async fn ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Waits until it answers.
    pub(super) async fn wait(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START;
        while !self.ping().await.unwrap_or(false) {
            if self.process.ended().is_some() || Instant::now() > deadline {
                return Err("Redis does not answer".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn ping(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await?;
        Ok(answer == *b"+PONG\r\n")
    }
}

fn launch(program: &Path, folder: &Path, port: u16) -> Result<Process, String> {
    let mut command = Command::new(program);
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // A separate process group: Ctrl-C ends the command, the servers are stopped after it.
        .process_group(0);
    Process::start(&mut command, "TERM").map_err(|error| format!("cannot start Redis: {error}"))
}
