//! A separate database for each test, on SQLite or PostgreSQL.

use std::{
    io::{Write, stderr},
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqliteConnection,
    postgres::PgConnectOptions,
};
use tempfile::TempDir;

/// The database of a test. It exists until the test ends.
pub(crate) enum TestDatabase {
    Sqlite { folder: TempDir },
    Postgres { cluster: Box<PgConnectOptions>, name: String },
}

impl TestDatabase {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite { folder: TempDir::new().unwrap() }
    }

    /// Creates a database; prints one line and returns `None` without a cluster.
    pub(crate) async fn postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are told by their environment where the cluster is"
        )]
        let Ok(url) = std::env::var("INSULA_TEST_POSTGRES_URL") else {
            static SKIP_MESSAGE: Once = Once::new();
            SKIP_MESSAGE.call_once(|| {
                // Not eprintln, whose output is hidden when the test passes.
                let line =
                    "not tried on PostgreSQL: INSULA_TEST_POSTGRES_URL is not set (`make test` sets it)\n";
                stderr().write_all(line.as_bytes()).unwrap();
            });
            return None;
        };
        let cluster: Box<PgConnectOptions> = Box::new(url.parse().unwrap());
        let name = format!("schema_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut connection = cluster.connect().await.unwrap();
        run(&mut connection, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
        run(&mut connection, &format!("CREATE DATABASE {name}")).await.unwrap();
        connection.close().await.unwrap();
        Some(Self::Postgres { cluster, name })
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite { folder } => format!("sqlite://{}/data/insula.db", folder.path().display()),
            Self::Postgres { .. } => self.options().to_url_lossy().into(),
        }
    }

    /// The connection options on PostgreSQL.
    pub(crate) fn options(&self) -> PgConnectOptions {
        match self {
            Self::Sqlite { .. } => panic!("not a PostgreSQL database"),
            Self::Postgres { cluster, name } => PgConnectOptions::clone(cluster).database(name),
        }
    }

    /// Runs statements with the login that migrates.
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { .. } => {
                let mut connection = SqliteConnection::connect(&self.url()).await?;
                connection.execute(AssertSqlSafe(sql)).await?;
                connection.close().await
            }
            Self::Postgres { .. } => {
                let mut connection = self.options().connect().await?;
                run(&mut connection, sql).await?;
                connection.close().await
            }
        }
    }

    /// The words for true and false.
    pub(crate) const fn booleans(&self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite { .. } => ("1", "0"),
            Self::Postgres { .. } => ("true", "false"),
        }
    }

    /// An id in SQL.
    pub(crate) fn id(&self, number: usize) -> String {
        match self {
            Self::Sqlite { .. } => format!("X'{number:032x}'"),
            Self::Postgres { .. } => format!("'{number:032x}'::uuid"),
        }
    }

    /// Runs statements as the superuser of the PostgreSQL cluster.
    pub(crate) async fn as_superuser(&self, sql: &str) {
        let mut connection = self.options().username("postgres").connect().await.unwrap();
        run(&mut connection, sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Runs a query that returns one text column.
    pub(crate) async fn lines(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite { .. } => {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
            }
            Self::Postgres { .. } => {
                let mut connection = self.options().connect().await.unwrap();
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
            }
        }
    }

    /// The complete schema as text, without the table of applied migrations, which remains after a full revert.
    pub(crate) async fn schema(&self) -> Vec<String> {
        let queries: &[&str] = match self {
            Self::Sqlite { .. } => &[
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'seaql_migrations' ORDER BY name",
            ],
            Self::Postgres { .. } => &CATALOGUE,
        };
        let mut lines = Vec::new();
        for query in queries {
            lines.extend(self.lines(query).await);
        }
        lines
    }

    /// On PostgreSQL, the application role and the system role, from the policies.
    pub(crate) async fn roles(&self) -> [String; 2] {
        let sql = "SELECT r.rolname::text FROM pg_policy p JOIN pg_roles r ON r.oid = p.polroles[1]
                   WHERE p.polrelid = 'organizations'::regclass ORDER BY p.polname";
        self.lines(sql).await.try_into().unwrap()
    }

    /// All tables except the one of applied migrations.
    pub(crate) async fn tables(&self) -> Vec<String> {
        let sql = match self {
            Self::Sqlite { .. } => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'seaql_migrations' ORDER BY name"
            }
            Self::Postgres { .. } => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'seaql_migrations' ORDER BY 1"
            }
        };
        self.lines(sql).await
    }

    /// Drops the database. After a failed test it remains until the cluster is removed.
    pub(crate) async fn remove(self) {
        if let Self::Postgres { cluster, name } = self {
            let mut connection = cluster.connect().await.unwrap();
            // FORCE would fail: connections of other logins, which an ordinary login may not end, can still be closing.
            // Without it, PostgreSQL waits five seconds for them.
            run(&mut connection, &format!("DROP DATABASE {name}")).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    connection.execute(AssertSqlSafe(sql)).await.map(drop)
}

/// Columns, constraints, indexes, policies, grants.
const CATALOGUE: [&str; 5] = [
    "SELECT concat_ws(' ', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull,
            atthasdef, attcollation::regcollation)
     FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped ORDER BY 1",
    "SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
     FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "SELECT concat_ws(' ', tablename, policyname, permissive, roles, cmd, qual, with_check)
     FROM pg_policies WHERE schemaname = 'public' ORDER BY 1",
    "SELECT concat_ws(' ', relname, relrowsecurity, relforcerowsecurity, relacl::text)
     FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1",
];
