//! The database that a URL names, and two ways to connect: to read, or to migrate.

use std::{path::Path, str::FromStr, time::Duration};

use sea_orm_migration::sea_orm::{
    DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector,
    sqlx::{
        ConnectOptions, Connection, PgConnection,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
    },
};

use crate::Error;

/// Maximum wait for a table lock. While a statement waits, all later requests to that table wait behind it.
const LOCK_TIMEOUT: &str = "10s";

/// Maximum wait of a change to a SQLite file for writers of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) enum Database {
    Postgres(Box<PgConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

impl FromStr for Database {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options: PgConnectOptions = url.parse()?;
            return Ok(Self::Postgres(Box::new(options.application_name("insula migrate"))));
        }
        if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=memory") {
            return Err(Error::Url);
        }
        let options: SqliteConnectOptions = url.parse()?;
        if options.get_filename().as_os_str().is_empty() {
            return Err(Error::Url);
        }
        Ok(Self::Sqlite(Box::new(options)))
    }
}

impl Database {
    /// Connects to an existing database to read it; `None` if the SQLite file does not exist.
    pub(crate) async fn connect_existing(&self) -> Result<Option<DatabaseConnection>, Error> {
        match self {
            Self::Postgres(options) => {
                connect(options).await?.close().await?;
                let pool = PgPoolOptions::new().max_connections(1).connect_with((**options).clone());
                Ok(Some(SqlxPostgresConnector::from_sqlx_postgres_pool(pool.await?)))
            }
            Self::Sqlite(options) => {
                let path = options.get_filename();
                if !path.try_exists().map_err(|source| Error::File { path: path.into(), source })? {
                    return Ok(None);
                }
                // Not read-only: a read-only connection cannot remove the -wal and -shm files that even reading
                // creates.
                let options = (**options).clone().create_if_missing(false);
                let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options);
                Ok(Some(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.await?)))
            }
        }
    }

    /// Opens the connection that migrates. Only one, so that session settings (`SET`, `PRAGMA`) apply to all
    /// statements.
    pub(crate) async fn connect_to_migrate(&self) -> Result<DatabaseConnection, Error> {
        match self {
            Self::Postgres(options) => {
                let options = (**options).clone().options([("lock_timeout", LOCK_TIMEOUT)]);
                let pool = PgPoolOptions::new().max_connections(1).connect_with(options);
                Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool.await?))
            }
            Self::Sqlite(options) => {
                let options = (**options)
                    .clone()
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .busy_timeout(BUSY_TIMEOUT)
                    // Rebuilding a table drops it. With foreign keys, SQLite would refuse that or empty the tables that
                    // refer to it.
                    .foreign_keys(false);
                let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options);
                Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.await?))
            }
        }
    }

    /// Creates the folder of a SQLite file if it is missing; does nothing on PostgreSQL.
    pub(crate) fn create_folder(&self) -> Result<(), Error> {
        let Self::Sqlite(options) = self else { return Ok(()) };
        let folder = options.get_filename().parent().unwrap_or(Path::new(""));
        if folder.as_os_str().is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(folder).map_err(|source| Error::File { path: folder.into(), source })
    }
}

/// Maximum duration of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects, and fails at once if nothing responds. A pool would retry for half a minute.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    let reason = match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no response within {} seconds", CONNECT_TIMEOUT.as_secs()),
    };
    let server = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{} port {}", options.get_host(), options.get_port()),
    };
    Err(Error::Unreachable { server, reason })
}
