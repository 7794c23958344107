//! A private PostgreSQL and a private Redis for the duration of one command.
//!
//! Both listen on free loopback ports and keep their data in a temporary folder. They and the folder are removed when the
//! command has ended or could not be started, and on a signal.

mod haproxy;
mod postgres;
mod programs;
mod prometheus;
mod redis;

use std::{
    ffi::OsString,
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::Path,
    process::{Command, ExitCode, ExitStatus},
    time::Duration,
};

use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::programs::Programs;
pub(crate) use self::programs::faketime;
pub use self::{
    haproxy::LoadBalancer,
    postgres::{Durability, Postgres},
    programs::{install, valgrind, wrk},
    prometheus::{Prometheus, promtool},
    redis::Redis,
};
use crate::{log_check, process, test_env::memory_folder};

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(60);

/// How long the command may take to end after a signal before it gets a stronger one.
const GRACE: Duration = Duration::from_secs(10);

/// Free bytes that the memory folder must have; `make scale` fills some of it.
const MIN_FREE_BYTES: u64 = 4 << 30;

/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

/// `EX_UNAVAILABLE` of sysexits.h.
const UNAVAILABLE: u8 = 69;

/// Runs `command` with `INSULA_TEST_POSTGRES_URL` (an ordinary login that may create databases and roles),
/// `INSULA_TEST_POSTGRES_ADMIN_URL` (the superuser) and `INSULA_TEST_REDIS_URL`, and passes its exit code on.
///
/// After it, checks what the servers of the tests logged, and fails if that contains secrets or personal data.
///
/// Ends with 64 without a command, 69 when a server is missing or does not start, 128 + n on signal n.
pub async fn main(command: Vec<OsString>) -> ExitCode {
    let Some((program, arguments)) = command.split_first() else {
        eprintln!("usage: services COMMAND ARGS...");
        return USAGE.into();
    };
    // From here on a signal ends the command and not this process, which removes everything.
    let mut signals = Signals::listen();
    let services = tokio::select! {
        services = Services::start(Durability::Volatile) => services,
        number = signals.next() => return ended_by(number),
    };
    match services {
        Err(sentence) => {
            eprintln!("services: {sentence}");
            UNAVAILABLE.into()
        }
        Ok(services) => {
            let logs = services.folder.path().join("logs");
            if let Err(error) = std::fs::create_dir(&logs) {
                eprintln!("services: {}: {error}", logs.display());
                return UNAVAILABLE.into();
            }
            let mut command = Command::new(program);
            command.args(arguments).envs(services.environment()).env(log_check::FOLDER, &logs);
            let code = run(&mut command, &mut signals).await;
            if is_clean(&logs) { code } else { ExitCode::FAILURE }
        }
    }
}

/// Did no server log a secret or personal data? Prints what was found.
fn is_clean(logs: &Path) -> bool {
    let checked = match log_check::check(logs) {
        Ok(checked) => checked,
        Err(error) => {
            eprintln!("services: {}: {error}", logs.display());
            return false;
        }
    };
    if checked.servers > 0 {
        let (lines, servers, found) = (checked.lines, checked.servers, checked.found.len());
        eprintln!(
            "services: {found} of {lines} log lines of {servers} servers contain secrets or personal data"
        );
    }
    checked.found.iter().for_each(|line| eprintln!("services: {line}"));
    checked.found.is_empty()
}

/// Waits for the command, and passes SIGTERM on; SIGINT has reached it already when it came from a terminal.
async fn run(command: &mut Command, signals: &mut Signals) -> ExitCode {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("services: cannot run {}: {error}", command.get_program().display());
            return if error.kind() == std::io::ErrorKind::NotFound { 127.into() } else { 126.into() };
        }
    };
    let pid = child.id();
    let mut end = tokio::task::spawn_blocking(move || child.wait());
    let number = tokio::select! {
        status = &mut end => return passed_on(status.expect("waiting does not panic").ok()),
        number = signals.next() => number,
    };
    // CONT is harmless: it lets the command handle the SIGINT that it has.
    let interrupted = number == SignalKind::interrupt().as_raw_value();
    for name in if interrupted { ["CONT", "TERM", "KILL"] } else { ["TERM", "TERM", "KILL"] } {
        process::signal(pid, name);
        if tokio::time::timeout(GRACE, &mut end).await.is_ok() {
            break;
        }
    }
    ended_by(number)
}

fn passed_on(status: Option<ExitStatus>) -> ExitCode {
    let Some(status) = status else { return UNAVAILABLE.into() };
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(1).into(),
        (None, Some(number)) => ended_by(number),
        (None, None) => 1.into(),
    }
}

/// The exit code of a shell.
fn ended_by(number: i32) -> ExitCode {
    u8::try_from(128 + number).unwrap_or(1).into()
}

/// Both servers. Dropped from top to bottom: the folder goes last.
pub struct Services {
    /// The PostgreSQL.
    pub postgres: Postgres,
    /// The Redis.
    pub redis: Redis,
    /// The folder of their data.
    pub folder: TempDir,
}

impl Services {
    /// Starts both on free ports.
    ///
    /// # Errors
    /// A sentence for the user, when one is missing or does not start.
    pub async fn start(durability: Durability) -> Result<Self, String> {
        let programs = Programs::find_or_install()?;
        let mut folder = tempfile::Builder::new();
        // The account of PostgreSQL needs access to its own folder.
        folder.prefix("insula-services-").permissions(std::fs::Permissions::from_mode(0o711));
        let folder = memory_folder(MIN_FREE_BYTES)
            .filter(|_| durability == Durability::Volatile)
            .map_or_else(|| folder.tempdir(), |memory_folder| folder.tempdir_in(memory_folder))
            .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        let mut redis = Redis::start(&programs.redis, folder.path())?;
        let postgres = Postgres::start(&programs.postgres, folder.path(), durability).await?;
        redis.wait().await?;
        Ok(Self { postgres, redis, folder })
    }

    fn environment(&self) -> [(&'static str, &str); 3] {
        [
            ("INSULA_TEST_POSTGRES_URL", &self.postgres.url),
            ("INSULA_TEST_POSTGRES_ADMIN_URL", &self.postgres.admin_url),
            ("INSULA_TEST_REDIS_URL", &self.redis.url),
        ]
    }
}

/// A loopback port that nobody uses now.
///
/// # Errors
/// A sentence, when there is none.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(listener.map_err(|error| format!("no free port: {error}"))?.port())
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Self {
        let listen = |kind| signal(kind).expect("the runtime listens to signals");
        Self {
            interrupt: listen(SignalKind::interrupt()),
            terminate: listen(SignalKind::terminate()),
            hangup: listen(SignalKind::hangup()),
        }
    }

    /// The number of the next signal that asks us to end.
    async fn next(&mut self) -> i32 {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        kind.as_raw_value()
    }
}
