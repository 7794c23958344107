//! A separate folder and database for a test, and the program that runs in them.

mod env_database;
mod snapshot;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use rustix::fs::statvfs;
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use self::env_database::in_database;
use self::{env_database::EnvDatabase, snapshot::EnvSnapshot};
use crate::TestDatabase;

/// Where one installation of Insula lives: a folder for its data and an empty database, both removed with the last
/// clone. `INSULA_TEST_DATABASE=postgres` makes the database in the cluster of `INSULA_TEST_POSTGRES_URL`; otherwise
/// it is a SQLite file in the folder.
#[derive(Clone)]
pub struct TestEnv(Arc<EnvInner>);

struct EnvInner {
    folder: TempDir,
    database: EnvDatabase,
}

impl TestEnv {
    /// An environment with the database of `INSULA_TEST_DATABASE`.
    pub async fn new() -> Self {
        match setting("INSULA_TEST_DATABASE").as_deref() {
            None | Some("" | "sqlite") => Self::on_sqlite(),
            Some("postgres") => {
                let postgres_url = setting("INSULA_TEST_POSTGRES_URL")
                    .expect("INSULA_TEST_POSTGRES_URL is not set: run `make test`, which starts a cluster");
                let admin = setting("INSULA_TEST_POSTGRES_ADMIN_URL").unwrap_or_else(|| postgres_url.clone());
                Self::on_postgres(&postgres_url, admin).await
            }
            Some(other) => panic!("INSULA_TEST_DATABASE is sqlite or postgres, not {other}"),
        }
    }

    /// As [`TestEnv::new`], with today's schema in the database: a copy of one that was migrated once.
    pub async fn migrated() -> Self {
        static MIGRATED: OnceCell<EnvSnapshot> = OnceCell::const_new();
        Self::after_command(&["migrate", "up"], &MIGRATED).await
    }

    /// As [`TestEnv::new`], with the demo in the database: a copy of one that was filled once.
    pub async fn with_demo() -> Self {
        static SEEDED: OnceCell<EnvSnapshot> = OnceCell::const_new();
        Self::after_command(&["seed", "demo"], &SEEDED).await
    }

    async fn after_command(command: &[&str], once: &OnceCell<EnvSnapshot>) -> Self {
        let is_postgres = setting("INSULA_TEST_DATABASE").is_some_and(|database| database == "postgres");
        let postgres_url = setting("INSULA_TEST_POSTGRES_URL").zip(setting("INSULA_TEST_POSTGRES_ADMIN_URL"));
        if is_postgres && postgres_url.is_none() {
            // A copy needs a superuser.
            let env = Self::new().await;
            snapshot::run(&env, command);
            return env;
        }
        let (snapshot, folder) = (once.get_or_init(|| EnvSnapshot::of_command(command)).await, folder());
        snapshot.write(folder.path());
        match snapshot.postgres_database.as_ref().zip(postgres_url) {
            Some((name, (postgres_url, admin))) => {
                let database = EnvDatabase::copy(name, &postgres_url, admin).await;
                Self(Arc::new(EnvInner { folder, database }))
            }
            None => Self::in_folder(folder),
        }
    }

    /// An environment with a SQLite file.
    pub fn on_sqlite() -> Self {
        Self::in_folder(folder())
    }

    /// An environment with a SQLite file on a disk, for measurements.
    pub fn on_disk() -> Self {
        Self::in_folder(
            tempfile::Builder::new().prefix("insula-test-").tempdir().expect("a temporary folder"),
        )
    }

    fn in_folder(folder: TempDir) -> Self {
        let url = format!("sqlite://{}", folder.path().join("insula.db").display());
        Self(Arc::new(EnvInner { folder, database: EnvDatabase::Sqlite { url } }))
    }

    /// An environment with a database in a PostgreSQL cluster; `admin` is the URL of its superuser.
    pub async fn on_postgres(postgres_url: &str, admin: String) -> Self {
        let database = EnvDatabase::create(postgres_url, admin).await;
        Self(Arc::new(EnvInner { folder: folder(), database }))
    }

    /// The data folder of the program.
    pub fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// The value of `DATABASE_URL`.
    pub fn database_url(&self) -> &str {
        match &self.0.database {
            EnvDatabase::Sqlite { url } | EnvDatabase::Postgres { url, .. } => url,
        }
    }

    /// The URL of the database with a login that may read everything.
    pub fn admin_url(&self) -> &str {
        match &self.0.database {
            EnvDatabase::Sqlite { url } | EnvDatabase::Postgres { admin_url: url, .. } => url,
        }
    }

    /// Whether the database is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.0.database, EnvDatabase::Postgres { .. })
    }

    /// Opens the database; on SQLite it must exist by then.
    pub async fn database(&self) -> TestDatabase {
        match &self.0.database {
            EnvDatabase::Sqlite { url } => TestDatabase::connect(url).await,
            EnvDatabase::Postgres { admin_url, .. } => TestDatabase::connect(admin_url).await,
        }
    }

    /// A command that starts the program in this environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(arguments);
        command
            .current_dir(self.folder())
            .env("INSULA_DATA_DIR", self.folder())
            .env("DATABASE_URL", self.database_url())
            .env("INSULA_MAX_ORGANIZATIONS", "1000000")
            .envs(RATE_CLASSES.map(|class| (format!("INSULA_LIMIT_{class}"), "1000000/s")));
        command
    }

    /// Runs a command in this environment and waits for its end.
    pub fn insula(&self, arguments: &[&str], envs: &[(&str, &str)]) -> Output {
        let output = self.command(arguments).envs(cheap_passwords(envs)).envs(envs.iter().copied()).output();
        output.unwrap_or_else(|error| panic!("insula {arguments:?}: {error}"))
    }
}

/// The setting for cheap password hashes, which save most of a test's time. `None` in production mode, which refuses it.
pub(crate) fn cheap_passwords<N: AsRef<str>, V: AsRef<str>>(
    envs: &[(N, V)],
) -> Option<(&'static str, &'static str)> {
    let is_production =
        |(name, value): &(N, V)| name.as_ref() == "INSULA_ENVIRONMENT" && value.as_ref() == "production";
    (!envs.iter().any(is_production)).then_some(("INSULA_PASSWORD_MEMORY", "64"))
}

/// Free bytes that the memory folder must have. A few test folders at a time hold some MiB each.
const MIN_FREE_BYTES: u64 = 1 << 30;

/// Classes of limits that are disabled, because tests use one IP address. Tests of a limit set it.
const RATE_CLASSES: [&str; 18] = [
    "ADDRESS",
    "LOG_IN",
    "FAILED_LOGINS",
    "REGISTER",
    "REFRESH",
    "RESET",
    "MAILBOX",
    "EMAIL_LINKS",
    "READ",
    "WRITE",
    "INVITATIONS",
    "INVITER",
    "NEW_INVITER",
    "BULK",
    "EXPORT",
    "ADMIN",
    "ORGANIZATION_EMAILS",
    "RECIPIENT_EMAILS",
];

/// Host and port of the Redis in the environment; `make test` starts it.
pub fn redis() -> Option<String> {
    Some(setting("INSULA_TEST_REDIS_URL")?.trim_start_matches("redis://").to_owned())
}

/// Runs one command that needs neither data nor database, in an empty folder.
pub fn insula(arguments: &[&str], envs: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = program(arguments).current_dir(&folder).envs(envs.iter().copied()).output();
    output.unwrap_or_else(|error| panic!("insula {arguments:?}: {error}"))
}

/// The program without the environment variables of the developer.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("insula"));
    command.args(arguments).stdin(Stdio::null()).env_clear();
    // The last one says where the program writes down which of its lines ran (`make coverage`).
    let kept = ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"];
    command.envs(kept.iter().filter_map(|name| Some((name, setting(name)?))));
    command
}

/// A program of the workspace: next to the running one, or next to the folder of the running test (target/<profile>/deps).
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let file = test.ancestors().skip(1).map(|folder| folder.join(name)).find(|file| file.is_file());
    file.unwrap_or_else(|| {
        panic!("no program `{name}` beside {}: run `make test` or `cargo build --workspace`", test.display())
    })
}

fn folder() -> TempDir {
    let mut folder = tempfile::Builder::new();
    let folder = folder.prefix("insula-test-");
    memory_folder(MIN_FREE_BYTES)
        .map_or_else(|| folder.tempdir(), |memory_folder| folder.tempdir_in(memory_folder))
        .expect("a temporary folder")
}

/// The folder for files in memory, if it exists and has so many free bytes. Test data need no disk.
pub(crate) fn memory_folder(room: u64) -> Option<&'static Path> {
    let place = Path::new("/dev/shm");
    let is_spacious = |place: &&Path| {
        statvfs(*place).is_ok_and(|place| place.f_bavail.saturating_mul(place.f_frsize) >= room)
    };
    Some(place).filter(is_spacious)
}

/// An environment variable of the tests.
pub fn setting(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the environment selects the database of the tests")]
    std::env::var(name).ok()
}
