//! One process of Insula that is killed and started again, as a supervisor would.

use std::{
    fs::File,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{Process, TestEnv, process};

/// Timeout of the start and of the end.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A process of Insula and its start command. It ends when this is dropped.
pub struct InsulaProcess {
    /// The name in messages and of the log file.
    pub name: String,
    process: Option<Process>,
    env: TestEnv,
    arguments: Vec<String>,
    envs: Vec<(String, String)>,
    /// The output that shows that it is ready.
    ready: &'static str,
    /// The number of unexpected exits.
    pub unexpected_exits: u32,
}

impl InsulaProcess {
    /// A process that is not started yet. `ready`: the output that shows that it is ready.
    pub fn new(
        name: &str,
        env: &TestEnv,
        arguments: &[&str],
        envs: &[(String, String)],
        ready: &'static str,
    ) -> Self {
        Self {
            name: name.to_owned(),
            process: None,
            env: env.clone(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            envs: envs.to_vec(),
            ready,
            unexpected_exits: 0,
        }
    }

    /// The log file of all its starts.
    pub fn log(&self) -> PathBuf {
        self.env.folder().join(format!("{}.log", self.name))
    }

    /// Starts it until it is ready. While a server it needs is unavailable, the start is repeated.
    ///
    /// # Errors
    /// Its log, when it is not ready within a minute.
    pub async fn start(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + 2 * TIMEOUT;
        let read_log = || std::fs::read_to_string(self.log()).unwrap_or_default();
        loop {
            let from = read_log().len();
            let log = File::options().create(true).append(true).open(self.log());
            let log = log.and_then(|log| Ok((log.try_clone()?, log)));
            let (stdout, stderr) = log.map_err(|error| format!("{}: {error}", self.name))?;
            let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
            let mut command = self.env.command(&arguments);
            command.envs(self.envs.iter().cloned()).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
            let started = Process::start(&mut command, "TERM");
            let mut process = started.map_err(|error| format!("{}: {error}", self.name))?;
            while process.ended().is_none() && Instant::now() < deadline {
                if read_log().get(from..).is_some_and(|read_log| read_log.contains(self.ready)) {
                    self.process = Some(process);
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // 2: the arguments are invalid.
            let is_lost = process.ended().is_some_and(|status| status.code() == Some(2));
            if is_lost || Instant::now() >= deadline {
                return Err(format!("{} is not ready; its log:\n{}", self.name, read_log()));
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// The process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Sends a signal, by its name without `SIG`, while it runs.
    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            process.signal(name);
        }
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// When it takes longer than 30 s or fails.
    pub async fn terminate(&mut self) -> Result<(), String> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.signal("TERM");
        let deadline = Instant::now() + TIMEOUT;
        loop {
            match process.ended() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("{} ended with {status} after SIGTERM", self.name)),
                None if Instant::now() > deadline => {
                    process.kill();
                    return Err(format!("{} did not end within {TIMEOUT:?} after SIGTERM", self.name));
                }
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Starts it again after an unexpected exit.
    ///
    /// # Errors
    /// As [`InsulaProcess::start`].
    pub async fn restart_ended(&mut self) -> Result<(), String> {
        if self.process.as_mut().is_some_and(|process| process.ended().is_none()) {
            return Ok(());
        }
        self.unexpected_exits += 1;
        self.start().await
    }

    /// The most memory that it has had, in bytes.
    pub fn peak_memory(&self) -> Option<u64> {
        process::memory(self.id()?, "VmHWM")
    }

    /// The time that it has computed so far, in milliseconds.
    pub fn cpu_milliseconds(&self) -> u64 {
        self.id().map_or(0, |id| 10 * process::cpu_ticks(&[id]))
    }

    /// The memory that it has now, in bytes.
    pub fn memory(&self) -> Option<u64> {
        process::memory(self.id()?, "VmRSS")
    }
}
