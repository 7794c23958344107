//! One migration at a time. The migration library takes no lock, and even creating its bookkeeping table races.

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
    database::{Database, reach},
};

/// Names our advisory lock: "insula" in ASCII. Such locks belong to one database, not to the cluster.
const KEY: i64 = 0x696e_7375_6c61;

/// How often one who waits asks again.
///
/// Asking, instead of waiting inside the lock call, keeps no snapshot open (for which CREATE INDEX CONCURRENTLY of the
/// holder would wait for ever), is not cut by a statement timeout, and ends at once when the process is told to stop.
const PAUSE: Duration = Duration::from_millis(100);

/// Held until released or dropped, and at the latest until the process ends, however it ends.
pub(crate) enum Lock {
    /// An advisory lock lives as long as its connection.
    Postgres(PgConnection),
    /// The file stays behind: removing it would let a third process lock another file of that name.
    Sqlite(File),
}

impl Lock {
    pub(crate) async fn take(database: &Database) -> Result<Self, Error> {
        let mut lock = Self::prepare(database).await?;
        let mut told = false;
        while !lock.attempt().await? {
            if !told {
                tracing::info!("another process is migrating this database: waiting for it to finish");
                told = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(lock)
    }

    async fn prepare(database: &Database) -> Result<Self, Error> {
        match database {
            Database::Postgres(options) => Ok(Self::Postgres(reach(options).await?)),
            Database::Sqlite(options) => {
                let mut path = options.get_filename().as_os_str().to_owned();
                path.push(".migrate.lock");
                let path = PathBuf::from(path);
                let file = File::options().create(true).append(true).open(&path);
                Ok(Self::Sqlite(file.map_err(|source| Error::File { path, source })?))
            }
        }
    }

    async fn attempt(&mut self) -> Result<bool, Error> {
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

    /// Says goodbye to the server, so that the next one need not wait until it notices.
    pub(crate) async fn release(self) {
        if let Self::Postgres(connection) = self
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the connection that held the migration lock did not close cleanly");
        }
    }
}
