//! The database of a test environment: a SQLite file, or a PostgreSQL database that is dropped with it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::snapshot;
use crate::TestDatabase;

/// `admin` is the superuser's URL of the cluster, `admin_url` that of this database.
pub(super) enum EnvDatabase {
    Sqlite { url: String },
    Postgres { admin: String, name: String, url: String, admin_url: String },
}

impl EnvDatabase {
    /// Creates an empty database in the cluster.
    pub(super) async fn create(postgres_url: &str, admin: String) -> Self {
        Self::create_numbered(postgres_url, admin, number(), "").await
    }

    /// Copies a database of the cluster and gives the copy its own roles.
    pub(super) async fn copy(original: &str, postgres_url: &str, admin: String) -> Self {
        let number = number();
        let database =
            Self::create_numbered(postgres_url, admin, number, &format!(" TEMPLATE {original}")).await;
        if let Self::Postgres { admin_url, .. } = &database {
            let (_, rest) = postgres_url.split_once("://").expect("a URL");
            let login = rest.split(['@', ':']).next().expect("a login");
            let number = u64::from(std::process::id()) << 24 | u64::from(number);
            snapshot::create_own_roles(admin_url, login, number).await;
        }
        database
    }

    async fn create_numbered(postgres_url: &str, admin: String, number: u32, options: &str) -> Self {
        let name = format!("test_{}_{number}", std::process::id());
        let database = TestDatabase::connect(postgres_url).await;
        database.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        database.execute(&format!("CREATE DATABASE {name}{options}")).await;
        database.close().await;
        Self::Postgres {
            url: in_database(postgres_url, &name),
            admin_url: in_database(&admin, &name),
            admin,
            name,
        }
    }
}

/// A number that no other database of this process has.
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

impl Drop for EnvDatabase {
    /// Best effort: a remaining database is removed with the cluster.
    fn drop(&mut self) {
        let Self::Postgres { admin, name, .. } = self else { return };
        // A test may end inside a runtime, where waiting for another one is only possible in a thread of its own.
        let dropped = std::thread::scope(|scope| {
            let removal = scope.spawn(|| {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    // Only the superuser may end its own open sessions.
                    let database = TestDatabase::connect(admin).await;
                    let roles = format!(
                        "SELECT DISTINCT r.rolname::text FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
                         JOIN pg_database b ON b.oid = d.dbid WHERE b.datname = '{name}' AND d.deptype = 'r'"
                    );
                    let roles = database.texts(&roles).await;
                    database.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                    for role in roles {
                        // A copy of the database may still use it.
                        drop(database.attempt(&[&format!("DROP ROLE \"{role}\""), "COMMIT", "SELECT ''"]).await);
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
