//! A Redis without persistence.

use std::{
    net::Ipv4Addr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::START;
use crate::process::Process;

pub(super) struct Redis {
    process: Process,
    port: u16,
    pub(super) url: String,
}

impl Redis {
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Self, String> {
        let port = super::free_port()?;
        let mut command = Command::new(program);
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(folder)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // A group of its own: Ctrl-C is for the command, the servers are stopped after it.
            .process_group(0);
        let process =
            Process::start(&mut command, "TERM").map_err(|error| format!("cannot start Redis: {error}"))?;
        Ok(Self { process, port, url: format!("redis://127.0.0.1:{port}") })
    }

    /// Until it answers.
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
