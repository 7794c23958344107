//! The session that migrates: one connection, and the lock that keeps other processes out.

use sea_orm_migration::sea_orm::DatabaseConnection;

use crate::{Error, database::Database, lock::MigrationLock};

/// A connection with the lock, so that only one process changes a schema at a time.
pub(crate) struct MigrationSession {
    connection: DatabaseConnection,
    lock: MigrationLock,
}

impl MigrationSession {
    /// Waits until no other process migrates this database.
    pub(crate) async fn open(database: &Database) -> Result<Self, Error> {
        database.create_folder()?;
        let lock = MigrationLock::acquire(database).await?;
        Ok(Self { connection: database.connect_to_migrate().await?, lock })
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Closes the connection, then releases the lock. The migration is complete by then, so a failure is only logged.
    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the connection of the migration did not close cleanly");
        }
        self.lock.release().await;
    }
}
