//! Which database a URL names, and the two ways to open it: to look, or alone and to change.

use std::{path::Path, str::FromStr, time::Duration};

use sea_orm_migration::sea_orm::{
    DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector,
    sqlx::{
        ConnectOptions, Connection, PgConnection,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
    },
};

use crate::{Error, lock::Lock};

/// A statement that waits longer for a table lock fails: behind it all requests to that table would queue.
const LOCK_TIMEOUT: &str = "10s";

/// How long a change of a SQLite file waits for writers of other processes.
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
    /// A connection that changes nothing; `None` when the SQLite file does not exist.
    pub(crate) async fn look(&self) -> Result<Option<DatabaseConnection>, Error> {
        match self {
            Self::Postgres(options) => {
                reach(options).await?.close().await?;
                let pool = PgPoolOptions::new().max_connections(1).connect_with((**options).clone());
                Ok(Some(SqlxPostgresConnector::from_sqlx_postgres_pool(pool.await?)))
            }
            Self::Sqlite(options) => {
                let path = options.get_filename();
                if !path.try_exists().map_err(|source| Error::File { path: path.into(), source })? {
                    return Ok(None);
                }
                // Not read-only: such a connection cannot remove the -wal and -shm files that even a look makes.
                let options = (**options).clone().create_if_missing(false);
                let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options);
                Ok(Some(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.await?)))
            }
        }
    }

    /// The connection that migrates. One, so that what a session is told (`SET`, `PRAGMA`) holds for all statements.
    async fn open(&self) -> Result<DatabaseConnection, Error> {
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
                    // Rebuilding a table drops it, and SQLite would then refuse or empty the tables that refer to it.
                    .foreign_keys(false);
                let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options);
                Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.await?))
            }
        }
    }

    /// The folder of a SQLite file, made when missing; nothing on PostgreSQL.
    pub(crate) fn make_room(&self) -> Result<(), Error> {
        let Self::Sqlite(options) = self else { return Ok(()) };
        let folder = options.get_filename().parent().unwrap_or(Path::new(""));
        if folder.as_os_str().is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(folder).map_err(|source| Error::File { path: folder.into(), source })
    }
}

/// How long a database may take to let us in.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects, and says at once where nobody answers: a pool would try for half a minute.
pub(crate) async fn reach(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    let reason = match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no response within {} seconds", PATIENCE.as_secs()),
    };
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{} port {}", options.get_host(), options.get_port()),
    };
    Err(Error::Unreachable { place, reason })
}

/// The right to change a schema: the only one at a time, whichever process holds it.
pub(crate) struct Session {
    connection: DatabaseConnection,
    lock: Lock,
}

impl Session {
    /// Waits until nobody else migrates this database.
    pub(crate) async fn open(database: &Database) -> Result<Self, Error> {
        database.make_room()?;
        let lock = Lock::take(database).await?;
        Ok(Self { connection: database.open().await?, lock })
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Closes the connection, then lets the next one in. The work is done by then: a failure here is only noted.
    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the connection of the migration did not close cleanly");
        }
        self.lock.release().await;
    }
}
