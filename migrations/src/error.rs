//! Errors of migrations.

use std::path::PathBuf;

use sea_orm_migration::{DbErr, sea_orm::SqlxError};

/// An error of a migration. The text is for operators and never contains the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL names neither a SQLite file nor a PostgreSQL database.
    #[error("use postgres://user:password@host/name or sqlite:path/to/file.db (not :memory:)")]
    Url,
    /// The database could not be reached in time, or refused the connection.
    #[error("the database at {server} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port, or the folder of the socket.
        server: String,
        /// The error of the connection.
        reason: String,
    },
    /// No schema of the login's search path exists.
    #[error("no schema of search_path exists: create one that is owned by the login that runs migrations")]
    Schema,
    /// The login is not allowed to read the list of applied migrations.
    #[error(
        "the login is not allowed to read which migrations are applied: run `insula migrate up` as the owner of the tables"
    )]
    Unreadable,
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// The database file, its folder or the lock file beside it could not be opened.
    #[error("cannot open {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The error from the operating system.
        source: std::io::Error,
    },
    /// The login is not allowed to create the roles and grants that row-level security needs.
    #[error(
        "the login is not allowed to create the roles and grants that row-level security needs; an administrator of the database cluster must run:\n{}",
        statements.join("\n")
    )]
    DatabaseRoles {
        /// Complete SQL statements, in order.
        statements: Vec<String>,
    },
}

/// Errors outside of a statement (connecting, locking) have the text of sqlx.
impl From<SqlxError> for Error {
    fn from(error: SqlxError) -> Self {
        Self::Database(DbErr::Conn(sea_orm_migration::sea_orm::RuntimeErr::SqlxError(error.into())))
    }
}
