//! The pools of connections. The only file that chooses a database.

use std::{str::FromStr, time::Duration};

use sea_orm::DbErr;
use sqlx::{
    ConnectOptions, Executor, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tracing::log::LevelFilter;

use super::{
    Options,
    error::query,
    skew::Answer,
    transaction::{Hat, Transaction},
};
use crate::{Error, Result, clock::Clock};

/// An idle connection is asked whether it lives only after this long: a ping on every use would cost a round trip.
const PING_AFTER: Duration = Duration::from_secs(30);

/// SQLite is opened twice: one writer, whose queue makes waiting fair, and readers that cannot write at all.
#[derive(Clone)]
pub(super) enum Pools {
    Postgres(PgPool),
    Sqlite { read: SqlitePool, write: SqlitePool },
}

impl Pools {
    pub(super) async fn open(url: &str, options: &Options) -> Result<Self> {
        match url.split(':').next() {
            Some("postgres" | "postgresql") => postgres(url, options),
            Some("sqlite") => sqlite(url, options).await,
            _ => Err(Error::Storage(DbErr::Custom(
                "the database URL must start with postgres:// or sqlite://".into(),
            ))),
        }
    }

    /// Begins with hat and scope in the same message: one round trip.
    pub(super) async fn begin(&self, hat: Hat, writes: bool) -> Result<Transaction> {
        let begun = match self {
            Self::Postgres(pool) => {
                let message = sqlx::AssertSqlSafe(hat.begin_message(writes));
                pool.begin_with(message).await.map(Transaction::postgres)
            }
            // IMMEDIATE: a read that becomes a write later would fail at once when another writer was faster.
            Self::Sqlite { write, .. } if writes => {
                write.begin_with("BEGIN IMMEDIATE").await.map(Transaction::sqlite)
            }
            Self::Sqlite { read, .. } => read.begin().await.map(Transaction::sqlite),
        };
        Ok(begun.map_err(query)?)
    }

    pub(super) const fn system(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgresql",
            Self::Sqlite { .. } => "sqlite",
        }
    }

    pub(super) async fn ping(&self) -> Result<()> {
        let answered = match self {
            Self::Postgres(pool) => pool.execute("SELECT 1").await.map(drop),
            Self::Sqlite { read, .. } => read.execute("SELECT 1").await.map(drop),
        };
        Ok(answered.map_err(query)?)
    }

    /// What time the database says it is; `None`: it has no clock of its own. `clock`: this machine's.
    pub(super) async fn ask_time(&self, clock: Clock) -> Result<Option<Answer>> {
        let Self::Postgres(pool) = self else { return Ok(None) };
        let mut connection = pool.acquire().await.map_err(query)?;
        let asked = clock.now();
        let time = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut *connection).await;
        Ok(Some(Answer { asked, time: time.map_err(query)?, received: clock.now() }))
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

/// Longest that a statement may run once it has the rows it waits for.
const STATEMENT: Duration = Duration::from_secs(3);

fn postgres(url: &str, options: &Options) -> Result<Pools> {
    let milliseconds = |time: Duration| format!("{}ms", time.as_millis().max(1));
    let connect = PgConnectOptions::from_str(url)
        .map_err(query)?
        .application_name("insula")
        .log_statements(LevelFilter::Trace)
        .options([
            ("statement_timeout", milliseconds(options.acquire_timeout + STATEMENT)),
            ("lock_timeout", milliseconds(options.acquire_timeout)),
            ("idle_in_transaction_session_timeout", "10s".to_owned()),
        ]);
    let pool = PgPoolOptions::new()
        .max_connections(options.pool_size)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > PING_AFTER {
                    sqlx::Connection::ping(connection).await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(connect);
    Ok(Pools::Postgres(pool))
}

async fn sqlite(url: &str, options: &Options) -> Result<Pools> {
    let connect = SqliteConnectOptions::from_str(url)
        .map_err(query)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL would double the write rate and may lose the last acknowledged commits when the power fails.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Serves other processes (command line, backup); inside this one the writer's queue does.
        .busy_timeout(Duration::from_secs(5))
        .log_statements(LevelFilter::Trace);
    let pool =
        || SqlitePoolOptions::new().acquire_timeout(options.acquire_timeout).test_before_acquire(false);
    let write = pool().max_connections(1).connect_with(connect.clone()).await.map_err(query)?;
    let read = pool().max_connections(4).connect_with(connect.read_only(true)).await.map_err(query)?;
    Ok(Pools::Sqlite { read, write })
}
