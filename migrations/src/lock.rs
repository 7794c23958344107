//! The lock that admits one migration at a time. The migration library takes no lock, and even creating its own table
//! races.

use std::{
    fs::{File, TryLockError},
    path::PathBuf,
    time::Duration,
};

use sea_orm_migration::sea_orm::{
    SqlxError,
    sqlx::{self, Connection, PgConnection},
};

use crate::{
    Error,
    database::{Database, connect},
};

/// The key of the advisory lock: "insula" in ASCII. Such locks belong to one database, not to the cluster.
const KEY: i64 = 0x696e_7375_6c61;

/// Time between two attempts to take the lock.
///
/// Polling, instead of waiting in the lock call, keeps no snapshot open, which would block a CREATE INDEX CONCURRENTLY
/// of the lock's holder forever. It is also not affected by a statement timeout, and ends at once when the process is
/// stopped.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Held until released or dropped, and at the latest until the process ends.
pub(crate) enum MigrationLock {
    /// An advisory lock, which lasts as long as its connection.
    Postgres(PgConnection),
    /// A locked file. It is never removed: then another process could lock a new file of the same name.
    Sqlite(File),
}

impl MigrationLock {
    pub(crate) async fn acquire(database: &Database) -> Result<Self, Error> {
        let mut lock = Self::open(database).await?;
        let mut is_logged = false;
        while !lock.try_acquire().await? {
            if !is_logged {
                tracing::info!("another process is migrating this database: waiting for it to finish");
                is_logged = true;
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
        Ok(lock)
    }

    async fn open(database: &Database) -> Result<Self, Error> {
        match database {
            Database::Postgres(options) => Ok(Self::Postgres(connect(options).await?)),
            Database::Sqlite(options) => {
                let mut path = options.get_filename().as_os_str().to_owned();
                path.push(".migrate.lock");
                let path = PathBuf::from(path);
                let file = File::options().create(true).append(true).open(&path);
                Ok(Self::Sqlite(file.map_err(|source| Error::File { path, source })?))
            }
        }
    }

    async fn try_acquire(&mut self) -> Result<bool, Error> {
        match self {
            Self::Postgres(connection) => {
                let attempt = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(KEY);
                Ok(attempt.fetch_one(connection).await?)
            }
            Self::Sqlite(file) => match file.try_lock() {
                Ok(()) => Ok(true),
                Err(TryLockError::WouldBlock) => Ok(false),
                Err(TryLockError::Error(error)) => Err(SqlxError::Io(error).into()),
            },
        }
    }

    /// Closes the connection, so that the server frees the lock at once.
    pub(crate) async fn release(self) {
        if let Self::Postgres(connection) = self
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the connection that held the migration lock did not close cleanly");
        }
    }
}
