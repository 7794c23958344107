//! A PostgreSQL that forgets everything and therefore need not sync anything.

use std::{
    fs::File,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{START, programs};
use crate::{process::Process, vault::Vault};

/// Speed instead of safety; no socket file, whose path may be too long; connections for all tests at once.
const SETTINGS: [&str; 7] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=128MB",
    "max_connections=300",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
];

/// An ordinary owner, as most installations have one: what works for it works for a superuser too.
const LOGIN: &str = "CREATE ROLE insula LOGIN CREATEDB CREATEROLE";

pub(super) struct Postgres {
    _process: Process,
    pub(super) url: String,
    pub(super) admin_url: String,
}

impl Postgres {
    pub(super) async fn start(programs: &Path, folder: &Path) -> Result<Self, String> {
        let folder = folder.join("postgres");
        std::fs::create_dir(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let account = Account::other_than_root(&folder)?;
        account.initdb(programs, &folder)?;

        let port = super::free_port()?;
        let log = folder.join("log");
        let mut command = account.command(&programs.join("postgres"), &folder);
        command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        command
            .stderr(File::create(&log).map_err(|error| format!("cannot make {}: {error}", log.display()))?);
        // QUIT: at once, without a last checkpoint.
        let mut process = Process::start(&mut command, "QUIT")
            .map_err(|error| format!("cannot start PostgreSQL: {error}"))?;

        let admin_url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let answered = tokio::time::timeout(START, wait(&mut process, &admin_url)).await;
        let Ok(Some(admin)) = answered else {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            return Err(format!("PostgreSQL does not answer; it says:\n{log}"));
        };
        admin.execute(LOGIN).await;
        admin.execute("CREATE DATABASE insula OWNER insula").await;
        Ok(Self { _process: process, url: format!("postgres://insula@127.0.0.1:{port}/insula"), admin_url })
    }
}

/// Until it answers; `None` when it has ended instead.
async fn wait(process: &mut Process, url: &str) -> Option<Vault> {
    while process.ended().is_none() {
        if let Ok(vault) = Vault::open(url).await {
            return Some(vault);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

/// Who PostgreSQL runs as: it refuses to run as root.
struct Account {
    ids: Option<(u32, u32)>,
}

impl Account {
    /// Ourselves, unless we are root; then `postgres` or `nobody`, who is given the folder.
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
        // A group of its own: Ctrl-C is for the command, the servers are stopped after it.
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
