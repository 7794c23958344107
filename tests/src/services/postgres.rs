//! A temporary PostgreSQL, which need not sync everything.

use std::{
    fs::File,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{START, programs};
use crate::{
    database::TestDatabase,
    process::{self, Process},
};

/// No socket file, whose path may be too long; connections for all tests at once.
const SETTINGS: [&str; 4] =
    ["shared_buffers=128MB", "max_connections=300", "listen_addresses=127.0.0.1", "unix_socket_directories="];

/// What acknowledged writes survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: the fastest, for tests that do not kill the server.
    Volatile,
    /// The end of the server processes. It does not wait for the disk.
    SurvivesKill,
    /// A power loss, as in production: for measurements.
    SurvivesPowerLoss,
}

impl Durability {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Volatile => &[
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
                "wal_level=minimal",
                "max_wal_senders=0",
            ],
            Self::SurvivesKill => &["fsync=off"],
            Self::SurvivesPowerLoss => &[],
        }
    }
}

/// An ordinary login, as in most installations. What works for it also works for a superuser.
const LOGIN: &str = "CREATE ROLE insula LOGIN CREATEDB CREATEROLE";

/// A PostgreSQL cluster on a free loopback port.
pub struct Postgres {
    process: Process,
    launch: Launch,
    /// An ordinary login that may create databases and roles.
    pub url: String,
    /// The superuser.
    pub admin_url: String,
}

/// The parameters of its start.
struct Launch {
    account: Account,
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    settings: Vec<&'static str>,
}

impl Postgres {
    pub(super) async fn start(
        programs: &Path,
        folder: &Path,
        durability: Durability,
    ) -> Result<Self, String> {
        let folder = folder.join("postgres");
        std::fs::create_dir(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let account = Account::other_than_root(&folder)?;
        account.initdb(programs, &folder)?;

        let settings = [&SETTINGS[..], durability.settings()].concat();
        let port = super::free_port()?;
        let launch = Launch { account, program: programs.join("postgres"), folder, port, settings };
        let process = launch.start()?;
        let url = format!("postgres://insula@127.0.0.1:{port}/insula");
        let admin_url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut postgres = Self { process, launch, url, admin_url };
        let admin = postgres.wait().await?;
        admin.execute(LOGIN).await;
        admin.execute("CREATE DATABASE insula OWNER insula").await;
        Ok(postgres)
    }

    /// Sends SIGKILL to all its processes at once.
    pub fn kill(&mut self) {
        process::signal_all(&self.pids(), "KILL");
        self.process.kill();
    }

    /// Sends a signal to all its processes, by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        process::signal_all(&self.pids(), name);
    }

    /// Starts it again after [`Postgres::kill`], on the same port and data, and waits until it answers.
    ///
    /// # Errors
    /// Its log when it does not answer.
    pub async fn restart(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START;
        loop {
            self.process = self.launch.start()?;
            match self.wait().await {
                Ok(admin) => {
                    admin.close().await;
                    return Ok(());
                }
                // An old process may still hold the shared memory.
                Err(_) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(said) => return Err(said),
            }
        }
    }

    /// The time that the server and its connections have computed so far, in milliseconds; of closed connections not.
    pub fn cpu_milliseconds(&self) -> u64 {
        10 * process::cpu_ticks(&self.pids())
    }

    /// The ids of the server and of its child processes, which have separate groups.
    fn pids(&self) -> Vec<u32> {
        let id = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        std::iter::once(id).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }

    async fn wait(&mut self) -> Result<TestDatabase, String> {
        let answered = tokio::time::timeout(START, wait(&mut self.process, &self.admin_url)).await;
        match answered {
            Ok(Some(admin)) => Ok(admin),
            Ok(None) | Err(_) => {
                let log = std::fs::read_to_string(self.launch.log()).unwrap_or_default();
                Err(format!("PostgreSQL does not answer; it says:\n{log}"))
            }
        }
    }
}

impl Launch {
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn start(&self) -> Result<Process, String> {
        let log = self.log();
        let mut command = self.account.command(&self.program, &self.folder);
        command.arg("-D").arg(self.folder.join("data")).args(["-p", &self.port.to_string()]);
        command.args(self.settings.iter().flat_map(|setting| ["-c", setting]));
        command
            .stderr(File::create(&log).map_err(|error| format!("cannot make {}: {error}", log.display()))?);
        // QUIT: at once, without a last checkpoint.
        Process::start(&mut command, "QUIT").map_err(|error| format!("cannot start PostgreSQL: {error}"))
    }
}

/// Waits until it answers; `None` when it has ended.
async fn wait(process: &mut Process, url: &str) -> Option<TestDatabase> {
    while process.ended().is_none() {
        if let Ok(database) = TestDatabase::open(url).await {
            return Some(database);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

/// The account of PostgreSQL, which refuses to run as root.
struct Account {
    ids: Option<(u32, u32)>,
}

impl Account {
    /// The current account; for root `postgres` or `nobody`, which becomes the owner of the folder.
    fn other_than_root(folder: &Path) -> Result<Self, String> {
        if number(&["-u"]) != Some(0) {
            return Ok(Self { ids: None });
        }
        let ids = ["postgres", "nobody"]
            .iter()
            .find_map(|name| Some((number(&["-u", name])?, number(&["-g", name])?)));
        let (user, group) =
            ids.ok_or("PostgreSQL refuses to run as root, and there is neither postgres nor nobody")?;
        chown(folder, Some(user), Some(group))
            .map_err(|error| format!("cannot give {} away: {error}", folder.display()))?;
        Ok(Self { ids })
    }

    fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        // A separate process group: Ctrl-C ends the command, the servers are stopped after it.
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        command
    }

    fn initdb(&self, programs: &Path, folder: &Path) -> Result<(), String> {
        let output = self
            .command(&programs.join("initdb"), folder)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"])
            .arg("-D")
            .arg(folder.join("data"))
            .output()
            .map_err(|error| format!("cannot run initdb in {}: {error}", folder.display()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("initdb failed:\n{}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn number(arguments: &[&str]) -> Option<u32> {
    programs::run("id", arguments)?.parse().ok()
}
