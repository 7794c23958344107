//! HAProxy as a load balancer for several servers, with health checks on `/readyz`.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{START, free_port, programs};
use crate::process::Process;

/// The configuration of HAProxy. It hides no failure: a request that reached a server is not sent again. A server that is
/// not ready three times in a row (1.5 s) gets no more requests; `INSULA_DRAIN_DELAY` is longer.
const SETTINGS: &str = "
global
    maxconn 4000
defaults
    mode http
    option forwardfor
    option redispatch
    retries 3
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    timeout check 5s
listen stats
    bind 127.0.0.1:{stats}
    stats enable
    stats uri /
frontend front
    bind 127.0.0.1:{port}
    default_backend insula
backend insula
    balance roundrobin
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr host insula
    http-check expect status 200
    default-server check inter 500ms fall 3 rise 2
";

/// A load balancer on a free loopback port. It ends when this is dropped.
pub struct LoadBalancer {
    _process: Process,
    _folder: TempDir,
    stats: String,
    /// The URL of the load balancer.
    pub url: String,
}

impl LoadBalancer {
    /// Starts a load balancer for servers on these loopback ports; installs HAProxy if it is missing.
    ///
    /// # Errors
    /// A sentence when it is missing or does not start.
    pub fn start(ports: &[u16]) -> Result<Self, String> {
        let program = programs::haproxy()?;
        let (port, stats) = (free_port()?.to_string(), free_port()?.to_string());
        let mut settings = SETTINGS.replace("{port}", &port).replace("{stats}", &stats);
        for (number, port) in ports.iter().enumerate() {
            settings += &format!("    server api-{number} 127.0.0.1:{port}\n");
        }
        let folder = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, settings)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        let process = launch(&program, &file)?;
        let stats = format!("http://127.0.0.1:{stats}/;csv");
        Ok(Self { _process: process, _folder: folder, stats, url: format!("http://127.0.0.1:{port}") })
    }

    /// The number of active servers; 0 while the load balancer does not answer.
    pub async fn up(&self) -> usize {
        let Ok(client) = reqwest::Client::builder().no_proxy().build() else { return 0 };
        let Ok(answer) = client.get(&self.stats).send().await else { return 0 };
        let text = answer.text().await.unwrap_or_default();
        let is_up = |line: &&str| line.starts_with("insula,api-") && line.split(',').nth(17) == Some("UP");
        text.lines().filter(is_up).count()
    }

    /// Waits until this number of servers is active.
    ///
    /// # Errors
    /// After one minute.
    pub async fn wait_for(&self, servers: usize) -> Result<(), String> {
        let deadline = Instant::now() + START;
        while self.up().await != servers {
            if Instant::now() > deadline {
                return Err(format!("the balancer sees {} servers, not {servers}", self.up().await));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

fn launch(program: &Path, file: &Path) -> Result<Process, String> {
    let mut command = Command::new(program);
    // -db: in the foreground.
    command.arg("-db").arg("-f").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Process::start(&mut command, "TERM").map_err(|error| format!("cannot start HAProxy: {error}"))
}
