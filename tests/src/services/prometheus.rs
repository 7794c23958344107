//! Prometheus, which scrapes processes of Insula every second, and promtool.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{START, free_port, programs};
use crate::process::Process;

/// A Prometheus on a free loopback port. It ends when this is dropped.
pub struct Prometheus {
    process: Process,
    folder: TempDir,
    http: reqwest::Client,
    url: String,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes these ops ports as the job `insula` and evaluates `rules`; installs it if it is
    /// missing.
    ///
    /// # Errors
    /// A sentence when it is missing or does not start.
    pub async fn start(ops_ports: &[u16], rules: &[PathBuf]) -> Result<Self, String> {
        let program = programs::prometheus()?;
        let folder = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
        let targets: Vec<_> = ops_ports.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        let rules: String = rules.iter().map(|file| format!("\n  - '{}'", file.display())).collect();
        let settings = format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\nrule_files:{rules}\n\
             scrape_configs:\n  - job_name: insula\n    static_configs:\n      - targets: [{}]\n",
            targets.join(", ")
        );
        let file = folder.path().join("prometheus.yaml");
        fs::write(&file, settings).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        let log = fs::File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        let port = free_port()?;
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let process = Process::start(&mut command, "TERM");
        let process = process.map_err(|error| format!("cannot start Prometheus: {error}"))?;
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        let url = format!("http://127.0.0.1:{port}");
        let mut prometheus = Self { process, folder, http, url };
        prometheus.wait().await?;
        Ok(prometheus)
    }

    async fn wait(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START;
        while self.get("/api/v1/status/buildinfo", &[]).await.is_err() {
            if self.process.ended().is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(format!("Prometheus does not answer: {log}"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// The series that a query returns now.
    ///
    /// # Errors
    /// The message of Prometheus, such as that the query is invalid.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let data = self.get("/api/v1/query", &[("query", query)]).await?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// The names of all metrics that were scraped or recorded.
    ///
    /// # Errors
    /// When Prometheus does not answer.
    pub async fn names(&self) -> Result<Vec<String>, String> {
        let data = self.get("/api/v1/label/__name__/values", &[]).await?;
        let names = data.as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(names.map(str::to_owned).collect())
    }

    /// The rules of all groups, with their state.
    ///
    /// # Errors
    /// When Prometheus does not answer.
    pub async fn rules(&self) -> Result<Vec<Value>, String> {
        let data = self.get("/api/v1/rules", &[]).await?;
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        Ok(groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect())
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let encode = |text: &str| {
            let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            };
            text.bytes().map(byte).collect::<String>()
        };
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let url = format!("{}{path}?{}", self.url, query.join("&"));
        let reply = self.http.get(url).send().await.map_err(|error| error.to_string())?;
        let mut body: Value = reply.json().await.map_err(|error| error.to_string())?;
        match body["status"].as_str() {
            Some("success") => Ok(body["data"].take()),
            _ => Err(body["error"].as_str().unwrap_or("no answer").to_owned()),
        }
    }
}

/// Runs promtool in `folder`; installs it if it is missing.
///
/// # Errors
/// Its output if it fails, or a sentence when it is missing.
pub fn promtool(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let program = programs::promtool()?;
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| format!("cannot run promtool: {error}"))?;
    let text = [output.stdout, output.stderr].concat();
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("promtool {}: {}", arguments.join(" "), String::from_utf8_lossy(&text))),
    }
}
