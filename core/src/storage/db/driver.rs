//! The differences between the two databases for a [`super::session::DatabaseSession`].

use futures_util::future::BoxFuture;
use sqlx::{AssertSqlSafe, Database, Executor, Postgres, Sqlite, error::ErrorKind};

use super::{
    error::{is_fatal, sqlite_code},
    session::TransactionState,
};

/// One of the two databases.
pub(super) trait Driver: Database {
    /// The database in traces.
    const SYSTEM: &'static str;

    /// Can a transaction not be committed after a failed statement? COMMIT would roll back and still report success.
    const FAILURE_ABORTS: bool;

    /// The name of the pool that such transactions use.
    fn pool_name(writes: bool) -> &'static str;

    /// Runs SQL without values and rows.
    fn execute<'c>(connection: &'c mut Self::Connection, sql: &str) -> BoxFuture<'c, sqlx::Result<()>>;

    /// The state of the transaction after this error: `Unknown`, `Ended` or `Broken`.
    fn state_after(error: &sqlx::Error) -> TransactionState;

    /// Does this error of a ROLLBACK mean that no transaction is open?
    fn means_no_transaction(error: &sqlx::Error) -> bool;
}

fn execute<'c, C, D>(connection: C, sql: &str) -> BoxFuture<'c, sqlx::Result<()>>
where
    C: Executor<'c, Database = D> + 'c,
    D: Database,
{
    let sql = AssertSqlSafe(sql.to_owned());
    Box::pin(async move { connection.execute(sql).await.map(drop) })
}

/// `read_only_sql_transaction`. A session keeps its default mode, and after a failover it may be connected to the wrong
/// server. Only a new session may be able to write.
const READ_ONLY: &str = "25006";

impl Driver for Postgres {
    const SYSTEM: &'static str = "postgresql";

    const FAILURE_ABORTS: bool = true;

    fn pool_name(_writes: bool) -> &'static str {
        "postgresql"
    }

    fn execute<'c>(connection: &'c mut Self::Connection, sql: &str) -> BoxFuture<'c, sqlx::Result<()>> {
        execute(connection, sql)
    }

    fn state_after(error: &sqlx::Error) -> TransactionState {
        match error {
            sqlx::Error::Database(fault) => {
                let is_read_only = fault.code().is_some_and(|code| code == READ_ONLY);
                if is_read_only || is_fatal(&**fault) {
                    TransactionState::Broken
                } else {
                    TransactionState::Unknown
                }
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => TransactionState::Broken,
            _ => TransactionState::Unknown,
        }
    }

    fn means_no_transaction(_: &sqlx::Error) -> bool {
        // PostgreSQL answers with a warning, which is not an error.
        false
    }
}

/// SQLite's result codes after which a transaction continues: ERROR, SCHEMA, TOOBIG, CONSTRAINT, MISMATCH, RANGE. After
/// any other error, it may have been rolled back (<https://sqlite.org/lang_transaction.html>, "Response To Errors
/// Within A Transaction"), and the following statements would be committed separately.
const SQLITE_CONTINUES: [u32; 6] = [1, 17, 18, 19, 20, 25];

impl Driver for Sqlite {
    const SYSTEM: &'static str = "sqlite";

    const FAILURE_ABORTS: bool = false;

    fn pool_name(writes: bool) -> &'static str {
        if writes { "sqlite-writer" } else { "sqlite-readers" }
    }

    fn execute<'c>(connection: &'c mut Self::Connection, sql: &str) -> BoxFuture<'c, sqlx::Result<()>> {
        execute(connection, sql)
    }

    fn state_after(error: &sqlx::Error) -> TransactionState {
        match error {
            sqlx::Error::Database(fault) => {
                let code = sqlite_code(&**fault);
                match code.is_none_or(|code| SQLITE_CONTINUES.contains(&code)) {
                    true => TransactionState::Unknown,
                    false => TransactionState::Ended,
                }
            }
            sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => TransactionState::Broken,
            _ => TransactionState::Unknown,
        }
    }

    fn means_no_transaction(error: &sqlx::Error) -> bool {
        let sqlx::Error::Database(fault) = error else { return false };
        fault.kind() == ErrorKind::Other && fault.message().contains("no transaction is active")
    }
}
