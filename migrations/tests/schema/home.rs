//! A database of a test's own, on either kind.

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

/// Where a schema lives until the test ends.
pub(crate) enum Home {
    Sqlite { folder: TempDir },
    Postgres { cluster: Box<PgConnectOptions>, name: String },
}

impl Home {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite { folder: TempDir::new().unwrap() }
    }

    /// A fresh database; `None`, and one line that says so, when there is no cluster to make it in.
    pub(crate) async fn postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are told by their environment where the cluster is"
        )]
        let Ok(url) = std::env::var("INSULA_TEST_POSTGRES_URL") else {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| {
                // Not eprintln: the test passes, and what it prints would be swallowed.
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

    /// How to reach the database on PostgreSQL.
    pub(crate) fn options(&self) -> PgConnectOptions {
        match self {
            Self::Sqlite { .. } => panic!("not a PostgreSQL database"),
            Self::Postgres { cluster, name } => PgConnectOptions::clone(cluster).database(name),
        }
    }

    /// Runs statements as the migrating login.
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

    /// Runs statements as the superuser of the cluster, on PostgreSQL.
    pub(crate) async fn as_superuser(&self, sql: &str) {
        let mut connection = self.options().username("postgres").connect().await.unwrap();
        run(&mut connection, sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// The one column of text that a query answers with.
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

    /// Everything that makes the schema, in words; the bookkeeping left out, because it stays when all is reverted.
    pub(crate) async fn schema(&self) -> Vec<String> {
        let queries: &[&str] = match self {
            Self::Sqlite { .. } => &[
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'seaql_migrations' ORDER BY name",
            ],
            Self::Postgres { .. } => &CATALOGUE,
        };
        let mut words = Vec::new();
        for query in queries {
            words.extend(self.lines(query).await);
        }
        words
    }

    /// PostgreSQL: the role of the application and that of the system, which the policies name.
    pub(crate) async fn roles(&self) -> [String; 2] {
        let sql = "SELECT r.rolname::text FROM pg_policy p JOIN pg_roles r ON r.oid = p.polroles[1]
                   WHERE p.polrelid = 'organizations'::regclass ORDER BY p.polname";
        self.lines(sql).await.try_into().unwrap()
    }

    /// The tables but the bookkeeping.
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

    /// Removes the database; one whose test failed stays until its cluster goes.
    pub(crate) async fn leave(self) {
        if let Self::Postgres { cluster, name } = self {
            let mut connection = cluster.connect().await.unwrap();
            run(&mut connection, &format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
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
