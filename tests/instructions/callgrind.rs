//! A server under valgrind.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use insula_tests::{Process, TestEnv, services, setting};

/// How long the server may take to start; valgrind makes it about fifty times as slow.
const START: Duration = Duration::from_secs(180);

/// A server whose instructions are counted. It ends when this is dropped.
pub(crate) struct Callgrind {
    process: Process,
    url: String,
    folder: PathBuf,
}

impl Callgrind {
    /// Starts a server without a worker on a database that is migrated.
    pub(crate) async fn start(env: &TestEnv, settings: &[(String, String)]) -> Result<Self, String> {
        let (valgrind, port) = (services::valgrind()?, services::free_port()?.to_string());
        let insula = env.command(&["serve", "--port", &port, "--no-worker"]);
        let folder = env.folder().to_owned();
        let mut command = Command::new(valgrind);
        command.args(["--tool=callgrind", "--instr-atstart=no", "--quiet"]);
        command.arg(format!("--callgrind-out-file={}", folder.join("callgrind").display()));
        command.arg(insula.get_program()).args(insula.get_args()).current_dir(&folder).env_clear();
        command.envs(insula.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, setting(name)?))));
        command.envs(settings.iter().cloned());
        let log = File::create(folder.join("callgrind.log")).map_err(|error| error.to_string())?;
        command.stdout(log.try_clone().map_err(|error| error.to_string())?).stderr(log);
        let process = Process::start(&mut command, "KILL").map_err(|error| format!("valgrind: {error}"))?;
        let mut server = Self { process, url: format!("http://127.0.0.1:{port}"), folder };
        server.wait().await?;
        server.control("instrumentation on")?;
        Ok(server)
    }

    async fn wait(&mut self) -> Result<(), String> {
        let (deadline, health) = (Instant::now() + START, format!("{}/readyz", self.url));
        loop {
            if reqwest::get(&health).await.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            if self.process.ended().is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.folder.join("callgrind.log")).unwrap_or_default();
                return Err(format!("the server does not start under valgrind; its log:\n{log}"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Begins to count at zero.
    pub(crate) fn reset(&self) -> Result<(), String> {
        self.control("zero")
    }

    /// The instructions of all threads since [`Callgrind::reset`].
    pub(crate) fn instructions(&self) -> Result<u64, String> {
        self.control("dump")?;
        let files = fs::read_dir(&self.folder).map_err(|error| error.to_string())?.flatten();
        let dumps = files.filter(|file| file.file_name().to_string_lossy().starts_with("callgrind."));
        let mut total = None;
        for dump in dumps {
            let text = fs::read(dump.path()).map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(&text);
            if let Some(line) = text.lines().rev().find_map(|line| line.strip_prefix("totals: ")) {
                total = line.trim().parse().ok();
                // The next dump is the only one then.
                fs::remove_file(dump.path()).map_err(|error| error.to_string())?;
            }
        }
        total.ok_or_else(|| "valgrind has written no numbers".to_owned())
    }

    /// Sends a command to valgrind.
    fn control(&self, command: &str) -> Result<(), String> {
        let mut vgdb = Command::new("vgdb");
        vgdb.arg(format!("--pid={}", self.process.id())).args(command.split(' '));
        let output = vgdb.output().map_err(|error| format!("vgdb: {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("vgdb {command}: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}
