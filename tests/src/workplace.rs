//! A folder and a database of a test's own, and the program run in them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rustix::fs::statvfs;
use tempfile::TempDir;

use crate::{Vault, template};

/// Where one installation of Insula lives: a folder for its data and an empty database, both removed with the last
/// clone. `INSULA_TEST_DATABASE=postgres` makes the database in the cluster of `INSULA_TEST_POSTGRES_URL`; otherwise
/// it is a SQLite file in the folder.
#[derive(Clone)]
pub struct Workplace(Arc<Place>);

struct Place {
    folder: TempDir,
    database: Database,
}

/// `admin` is the superuser's door to the cluster, `admin_url` the one to this database.
enum Database {
    Sqlite { url: String },
    Postgres { admin: String, name: String, url: String, admin_url: String },
}

impl Workplace {
    /// Of the kind that the environment asks for.
    pub async fn new() -> Self {
        match setting("INSULA_TEST_DATABASE").as_deref() {
            None | Some("" | "sqlite") => Self::on_sqlite(),
            Some("postgres") => {
                let cluster = setting("INSULA_TEST_POSTGRES_URL")
                    .expect("INSULA_TEST_POSTGRES_URL is not set: run `make test`, which starts a cluster");
                let admin = setting("INSULA_TEST_POSTGRES_ADMIN_URL").unwrap_or_else(|| cluster.clone());
                Self::in_cluster(&cluster, admin).await
            }
            Some(other) => panic!("INSULA_TEST_DATABASE is sqlite or postgres, not {other}"),
        }
    }

    /// As [`Workplace::new`], with today's schema in the database: a copy of one that was migrated once.
    pub async fn migrated() -> Self {
        let admin = setting("INSULA_TEST_POSTGRES_ADMIN_URL");
        match (setting("INSULA_TEST_DATABASE").as_deref(), setting("INSULA_TEST_POSTGRES_URL"), admin) {
            (Some("postgres"), Some(cluster), Some(admin)) => {
                let database = Database::copy(template::postgres().await, &cluster, admin).await;
                Self(Arc::new(Place { folder: folder(), database }))
            }
            // Only a superuser can give a copy what it needs: the program migrates an empty one itself.
            (Some("postgres"), ..) => Self::new().await,
            _ => {
                let (workplace, empty) = (Self::new().await, template::sqlite().await);
                let file = template::file(workplace.folder());
                std::fs::write(&file, empty).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                workplace
            }
        }
    }

    /// With a SQLite file.
    pub fn on_sqlite() -> Self {
        Self::in_folder(folder())
    }

    /// With a SQLite file on a disk, for those who measure.
    pub fn on_disk() -> Self {
        Self::in_folder(
            tempfile::Builder::new().prefix("insula-test-").tempdir().expect("a temporary folder"),
        )
    }

    fn in_folder(folder: TempDir) -> Self {
        let url = format!("sqlite://{}", folder.path().join("insula.db").display());
        Self(Arc::new(Place { folder, database: Database::Sqlite { url } }))
    }

    /// With a database in a cluster of PostgreSQL; `admin` is its superuser's door.
    pub async fn in_cluster(cluster: &str, admin: String) -> Self {
        let database = Database::create(cluster, admin).await;
        Self(Arc::new(Place { folder: folder(), database }))
    }

    /// Where the program keeps its data.
    pub fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// As the program is given it.
    pub fn database_url(&self) -> &str {
        match &self.0.database {
            Database::Sqlite { url } | Database::Postgres { url, .. } => url,
        }
    }

    /// Whether the database is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.0.database, Database::Postgres { .. })
    }

    /// Opens the database; on SQLite it must exist by then.
    pub async fn vault(&self) -> Vault {
        match &self.0.database {
            Database::Sqlite { url } => Vault::connect(url).await,
            Database::Postgres { admin_url, .. } => Vault::connect(admin_url).await,
        }
    }

    /// The program with these arguments, in this place, to be started by the caller.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(arguments);
        command
            .current_dir(self.folder())
            .env("INSULA_DATA_DIR", self.folder())
            .env("DATABASE_URL", self.database_url())
            .env("INSULA_MAX_ORGANIZATIONS", "1000000")
            .envs(GENEROUS.map(|class| (format!("INSULA_LIMIT_{class}"), "1000000/s")));
        command
    }

    /// Runs one command in this place to its end.
    pub fn insula(&self, arguments: &[&str], envs: &[(&str, &str)]) -> Output {
        let output = self.command(arguments).envs(cheap_passwords(envs)).envs(envs.iter().copied()).output();
        output.unwrap_or_else(|error| panic!("insula {arguments:?}: {error}"))
    }
}

/// What keeps the hashes of passwords from taking most of a test's time: nobody is to guess these passwords. None where the
/// command is that of production, which refuses it.
pub(crate) fn cheap_passwords<N: AsRef<str>, V: AsRef<str>>(
    envs: &[(N, V)],
) -> Option<(&'static str, &'static str)> {
    let is_production =
        |(name, value): &(N, V)| name.as_ref() == "INSULA_ENVIRONMENT" && value.as_ref() == "production";
    (!envs.iter().any(is_production)).then_some(("INSULA_PASSWORD_MEMORY", "64"))
}

/// How much room there must be where files are kept in memory, in bytes: a few of these folders at a time hold some MiB each.
const ROOM: u64 = 1 << 30;

/// Tests ask from one address, and more often than people do. Those about a limit set it.
const GENEROUS: [&str; 18] = [
    "ADDRESS",
    "LOG_IN",
    "GUESSES",
    "REGISTER",
    "REFRESH",
    "RESET",
    "MAILBOX",
    "CONFIRM",
    "READ",
    "WRITE",
    "MAIL",
    "INVITER",
    "NEW_INVITER",
    "BULK",
    "EXPORT",
    "ADMIN",
    "SENDING",
    "RECIPIENT",
];

/// Host and port of a Redis, where the environment names one: `make test` starts it.
pub fn redis() -> Option<String> {
    Some(setting("INSULA_TEST_REDIS_URL")?.trim_start_matches("redis://").to_owned())
}

/// Runs one command that needs neither data nor database, in an empty folder.
pub fn insula(arguments: &[&str], envs: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = program(arguments).current_dir(&folder).envs(envs.iter().copied()).output();
    output.unwrap_or_else(|error| panic!("insula {arguments:?}: {error}"))
}

/// The program in a clean environment: nothing that the developer has set reaches it.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("insula"));
    command.args(arguments).stdin(Stdio::null()).env_clear();
    // The last one says where the program writes down which of its lines ran (`make coverage`).
    let kept = ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"];
    command.envs(kept.iter().filter_map(|name| Some((name, setting(name)?))));
    command
}

/// A program of ours: beside whoever runs, or beside the folder of the test that runs (target/<profile>/deps).
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
    memory(ROOM)
        .map_or_else(|| folder.tempdir(), |memory| folder.tempdir_in(memory))
        .expect("a temporary folder")
}

/// Where files are kept in memory, on systems that have such a place with so many bytes to spare: nothing of a test
/// outlives the machine, so nothing needs to wait for a disk.
pub(crate) fn memory(room: u64) -> Option<&'static Path> {
    let place = Path::new("/dev/shm");
    let is_spacious = |place: &&Path| {
        statvfs(*place).is_ok_and(|place| place.f_bavail.saturating_mul(place.f_frsize) >= room)
    };
    Some(place).filter(is_spacious)
}

/// A variable of the tests' own environment.
pub fn setting(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by their environment which database to try"
    )]
    std::env::var(name).ok()
}

impl Database {
    /// An empty database of its own in the cluster.
    async fn create(cluster: &str, admin: String) -> Self {
        Self::make(cluster, admin, number(), "").await
    }

    /// A copy of this database of the cluster, with roles of its own.
    async fn copy(template: &str, cluster: &str, admin: String) -> Self {
        let number = number();
        let database = Self::make(cluster, admin, number, &format!(" TEMPLATE {template}")).await;
        if let Self::Postgres { admin_url, .. } = &database {
            let (_, rest) = cluster.split_once("://").expect("a URL");
            let login = rest.split(['@', ':']).next().expect("a login");
            let number = u64::from(std::process::id()) << 24 | u64::from(number);
            template::own_roles(admin_url, login, number).await;
        }
        database
    }

    async fn make(cluster: &str, admin: String, number: u32, how: &str) -> Self {
        let name = format!("test_{}_{number}", std::process::id());
        let vault = Vault::connect(cluster).await;
        vault.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        vault.execute(&format!("CREATE DATABASE {name}{how}")).await;
        vault.close().await;
        Self::Postgres {
            url: in_database(cluster, &name),
            admin_url: in_database(&admin, &name),
            admin,
            name,
        }
    }
}

/// What no other database of this process is named by.
fn number() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// The same URL with another database: `postgres://host/old?x=y` -> `postgres://host/new?x=y`.
pub fn in_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let (scheme, rest) = address.split_once("://").expect("a URL");
    let host = rest.split('/').next().unwrap_or(rest);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{host}/{name}{query}")
}

impl Drop for Place {
    /// Best effort: what is left goes with the cluster.
    fn drop(&mut self) {
        let Database::Postgres { admin, name, .. } = &self.database else { return };
        // A test may end inside a runtime, where waiting for another one is only possible in a thread of its own.
        let dropped = std::thread::scope(|scope| {
            let removal = scope.spawn(|| {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    // The superuser: a vault that is still open is its session, which nobody else may end.
                    let vault = Vault::connect(admin).await;
                    let roles = format!(
                        "SELECT DISTINCT r.rolname::text FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
                         JOIN pg_database b ON b.oid = d.dbid WHERE b.datname = '{name}' AND d.deptype = 'r'"
                    );
                    let roles = vault.texts(&roles).await;
                    vault.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                    for role in roles {
                        // A copy of the database may use it still.
                        drop(vault.attempt(&[&format!("DROP ROLE \"{role}\""), "COMMIT", "SELECT ''"]).await);
                    }
                });
            });
            removal.join()
        });
        if dropped.is_err() {
            eprintln!("the database {name} could not be dropped");
        }
    }
}
