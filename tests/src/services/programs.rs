//! Finds the servers on this machine, and installs missing ones.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// The oldest PostgreSQL that Insula runs on.
const OLDEST: u32 = 14;

/// The programs of both servers.
pub(super) struct Programs {
    /// The folder with `initdb` and `postgres`.
    pub(super) postgres: PathBuf,
    pub(super) redis: PathBuf,
}

impl Programs {
    /// The error is a sentence for the user.
    pub(super) fn find_or_install() -> Result<Self, String> {
        Self::find().or_else(|missing| {
            install(&missing).map_err(|reason| {
                let missing = missing.join(" and ");
                format!("the tests need PostgreSQL {OLDEST} or newer and Redis; install {missing}: {reason}")
            })?;
            Self::find().map_err(|missing| {
                format!("{} is still missing after the installation", missing.join(" and "))
            })
        })
    }

    /// The error names Debian's packages of what is missing.
    fn find() -> Result<Self, Vec<&'static str>> {
        match (newest_postgres(), in_path("redis-server")) {
            (Some(postgres), Some(redis)) => Ok(Self { postgres, redis }),
            (None, Some(_)) => Err(vec!["postgresql"]),
            (Some(_), None) => Err(vec!["redis-server"]),
            (None, None) => Err(vec!["postgresql", "redis-server"]),
        }
    }
}

/// HAProxy. The error is a sentence for the user.
pub(super) fn haproxy() -> Result<PathBuf, String> {
    find_or_install_program("haproxy")
}

/// wrk, which sends requests as fast as they are answered.
///
/// # Errors
/// A sentence for the user.
pub fn wrk() -> Result<PathBuf, String> {
    find_or_install_program("wrk")
}

/// valgrind, which counts instructions.
///
/// # Errors
/// A sentence for the user.
pub fn valgrind() -> Result<PathBuf, String> {
    find_or_install_program("valgrind")
}

/// Prometheus. The error is a sentence for the user.
pub(super) fn prometheus() -> Result<PathBuf, String> {
    find_or_install_program("prometheus")
}

/// promtool, which is in the package of Prometheus. The error is a sentence for the user.
pub(super) fn promtool() -> Result<PathBuf, String> {
    prometheus()?;
    in_path("promtool").ok_or_else(|| "promtool is missing beside prometheus".to_owned())
}

/// A program that has the name of its Debian package.
fn find_or_install_program(name: &str) -> Result<PathBuf, String> {
    // Debian's folder for servers is not in the PATH of ordinary users.
    let find = || {
        in_path(name)
            .or_else(|| Some(Path::new("/usr/sbin").join(name)).filter(|file: &PathBuf| file.is_file()))
    };
    match find() {
        Some(program) => Ok(program),
        None => {
            install(&[name]).map_err(|reason| format!("this needs {name}; install {name}: {reason}"))?;
            find().ok_or_else(|| format!("{name} is still missing after the installation"))
        }
    }
}

/// The library that shifts the clock of a program (`LD_PRELOAD`). The error is a sentence for the user.
pub(crate) fn faketime() -> Result<PathBuf, String> {
    // Debian's folder has the name of the architecture.
    let find = || {
        let folders = Path::new("/usr/lib").read_dir().into_iter().flatten().flatten();
        let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
        libraries.find(|library| library.is_file())
    };
    match find() {
        Some(library) => Ok(library),
        None => {
            install(&["libfaketime"])
                .map_err(|reason| format!("this needs libfaketime; install libfaketime: {reason}"))?;
            find().ok_or_else(|| "libfaketime is still missing after the installation".to_owned())
        }
    }
}

fn in_path(program: &str) -> Option<PathBuf> {
    path().into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[expect(
    clippy::disallowed_methods,
    reason = "where programs are is the machine's business, no setting of ours"
)]
fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The folder of the newest PostgreSQL. Debian's are not in PATH.
fn newest_postgres() -> Option<PathBuf> {
    let debian = Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten().flatten();
    let folders = path().into_iter().chain(debian.map(|entry| entry.path().join("bin")));
    folders
        .filter(|folder| folder.join("initdb").is_file())
        .filter_map(|folder| Some((version(&folder.join("postgres"))?, folder)))
        .filter(|(version, _)| *version >= OLDEST)
        .max_by_key(|(version, _)| *version)
        .map(|(_, folder)| folder)
}

/// The major version: `postgres (PostgreSQL) 15.14 (Debian …)`, `postgres (PostgreSQL) 18beta1`.
fn version(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    let words = String::from_utf8(output.stdout).ok()?;
    let number = words.split_whitespace().nth(2)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Installs Debian packages. With an init system, some also start servers, on ports that the tests do not use.
///
/// # Errors
/// The reason why that is impossible here.
pub fn install(packages: &[&str]) -> Result<(), &'static str> {
    // Tests run in parallel, and apt-get fails while another one runs.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let sudo: &[&str] = if run("id", &["-u"]).as_deref() == Some("0") {
        &[]
    } else if run("sudo", &["-n", "true"]).is_some() {
        &["sudo", "-n"]
    } else {
        return Err("only root can do that for you");
    };
    if run("apt-get", &["--version"]).is_none() {
        return Err("there is no apt-get to do that for you");
    }
    let install = ["install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];
    let install = [&install, packages].concat();
    for arguments in [vec!["update", "-q"], install] {
        eprintln!("services: apt-get {}", arguments.join(" "));
        let words = [sudo, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], &arguments].concat();
        let status = Command::new(words[0]).args(&words[1..]).stdout(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err("apt-get failed");
        }
    }
    Ok(())
}

/// The output of a program; `None` when it is missing or fails.
pub(super) fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
