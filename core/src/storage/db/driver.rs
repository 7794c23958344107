//! Where the two databases differ for a [`super::session::Session`].

use futures_util::future::BoxFuture;
use sqlx::{AssertSqlSafe, Database, Executor, Postgres, Sqlite, error::ErrorKind};

use super::{
    error::{is_fatal, sqlite_code},
    session::State,
};

/// One of the two databases.
pub(super) trait Driver: Database {
    /// After a statement that failed nothing can be committed: COMMIT would roll back, and say that it succeeded.
    const FAILURE_ABORTS: bool;

    /// Runs SQL that has no values and no rows.
    fn execute<'c>(connection: &'c mut Self::Connection, sql: &str) -> BoxFuture<'c, sqlx::Result<()>>;

    /// What is known of the transaction after this failure: `Unknown`, `Ended` or `Broken`.
    fn state_after(error: &sqlx::Error) -> State;

    /// Whether a ROLLBACK that failed like this says that no transaction is open.
    fn is_outside(error: &sqlx::Error) -> bool;
}

fn execute<'c, C, D>(connection: C, sql: &str) -> BoxFuture<'c, sqlx::Result<()>>
where
    C: Executor<'c, Database = D> + 'c,
    D: Database,
{
    let sql = AssertSqlSafe(sql.to_owned());
    Box::pin(async move { connection.execute(sql).await.map(drop) })
}

/// `read_only_sql_transaction`. A session keeps the default it began with, and after a fail-over it is a session of the
/// wrong server: only a new one may be able to write.
const READ_ONLY: &str = "25006";

impl Driver for Postgres {
    const FAILURE_ABORTS: bool = true;

    fn execute<'c>(connection: &'c mut Self::Connection, sql: &str) -> BoxFuture<'c, sqlx::Result<()>> {
        execute(connection, sql)
    }

    fn state_after(error: &sqlx::Error) -> State {
        match error {
            sqlx::Error::Database(fault) => {
                let is_read_only = fault.code().is_some_and(|code| code == READ_ONLY);
                if is_read_only || is_fatal(&**fault) { State::Broken } else { State::Unknown }
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => State::Broken,
            _ => State::Unknown,
        }
    }

    fn is_outside(_: &sqlx::Error) -> bool {
        // PostgreSQL answers with a warning, which is no failure.
        false
    }
}

/// SQLite's result codes after which a transaction goes on: ERROR, SCHEMA, TOOBIG, CONSTRAINT, MISMATCH, RANGE. After any
/// other it may have rolled back by itself (<https://sqlite.org/lang_transaction.html>, "Response To Errors Within A
/// Transaction"), and the statements that follow would each be committed on their own.
const SQLITE_GOES_ON: [u32; 6] = [1, 17, 18, 19, 20, 25];

impl Driver for Sqlite {
    const FAILURE_ABORTS: bool = false;

    fn execute<'c>(connection: &'c mut Self::Connection, sql: &str) -> BoxFuture<'c, sqlx::Result<()>> {
        execute(connection, sql)
    }

    fn state_after(error: &sqlx::Error) -> State {
        match error {
            sqlx::Error::Database(fault) => {
                let code = sqlite_code(&**fault);
                match code.is_none_or(|code| SQLITE_GOES_ON.contains(&code)) {
                    true => State::Unknown,
                    false => State::Ended,
                }
            }
            sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => State::Broken,
            _ => State::Unknown,
        }
    }

    fn is_outside(error: &sqlx::Error) -> bool {
        let sqlx::Error::Database(fault) = error else { return false };
        fault.kind() == ErrorKind::Other && fault.message().contains("no transaction is active")
    }
}
