//! The connection pools. This is the only file that selects a database.

use std::{str::FromStr, sync::Arc, time::Duration};

use sea_orm::DbErr;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tracing::log::LevelFilter;

use super::{
    Options,
    clock_skew::ClockReading,
    error::query,
    health::{Check, DatabaseTrouble, Health},
    pool_metrics,
    roles::QuotedRoles,
    session::{DatabaseSession, Timeouts, within},
    transaction::{DatabaseRole, Transaction},
};
use crate::{Error, Result, base::clock::Clock};

/// SQLite is opened twice: with one writer, whose queue makes waiting fair, and with readers that cannot write.
#[derive(Clone)]
pub(super) enum Pools {
    Postgres { pool: PgPool, timeouts: Timeouts, health: Arc<Health> },
    Sqlite { read: SqlitePool, write: SqlitePool, health: Arc<Health> },
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

    /// Begins a transaction. The same message sets the role and the scope, so that it takes one round trip.
    pub(super) async fn begin(
        &self,
        database_role: DatabaseRole,
        roles: &QuotedRoles,
        writes: bool,
    ) -> Result<Transaction> {
        let begun = match self {
            Self::Postgres { pool, timeouts, health } => {
                let message = database_role.begin_message(roles, writes);
                DatabaseSession::begin(pool, health, Some(*timeouts), &message, writes)
                    .await
                    .map(Transaction::from)
            }
            // IMMEDIATE, because a read that becomes a write later would fail at once if another writer was faster.
            Self::Sqlite { write, health, .. } if writes => {
                DatabaseSession::begin(write, health, None, "BEGIN IMMEDIATE", true)
                    .await
                    .map(Transaction::from)
            }
            Self::Sqlite { read, health, .. } => {
                DatabaseSession::begin(read, health, None, "BEGIN", false).await.map(Transaction::from)
            }
        };
        Ok(begun.map_err(query)?)
    }

    pub(super) const fn system(&self) -> &'static str {
        match self {
            Self::Postgres { .. } => "postgresql",
            Self::Sqlite { .. } => "sqlite",
        }
    }

    /// Tests the database. Returns why it cannot do its work, or `None` if it can.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(super) async fn trouble(&self) -> sqlx::Result<Option<DatabaseTrouble>> {
        match self {
            Self::Postgres { pool, timeouts, health } => {
                let mut session =
                    DatabaseSession::begin(pool, health, Some(*timeouts), "BEGIN", false).await?;
                let asked = sqlx::query_scalar("SELECT current_setting('transaction_read_only') = 'on'");
                let answer =
                    within(session.statement_timeout(), asked.fetch_one(session.start_statement()?)).await;
                if session.end_statement(answer)? {
                    health.record_read_only();
                    return Ok(Some(DatabaseTrouble::ReadOnly));
                }
                Ok(health.recent_trouble())
            }
            Self::Sqlite { read, write, health } => {
                let mut session = DatabaseSession::begin(read, health, None, "BEGIN", false).await?;
                let answer = sqlx::query("PRAGMA user_version").execute(session.start_statement()?).await;
                session.end_statement(answer)?;
                drop(session);
                let Some((trouble, try_again)) = health.failed_write() else { return Ok(None) };
                let is_over = try_again && test_write(write, health).await.is_ok();
                Ok((!is_over).then_some(trouble))
            }
        }
    }

    /// The time of the database; `None` if it has no clock of its own. `clock`: this machine's clock.
    pub(super) async fn read_clock(&self, clock: Clock) -> Result<Option<ClockReading>> {
        let Self::Postgres { pool, timeouts, health } = self else { return Ok(None) };
        let mut session =
            DatabaseSession::begin(pool, health, Some(*timeouts), "BEGIN", false).await.map_err(query)?;
        let asked = clock.now();
        let time = sqlx::query_scalar("SELECT clock_timestamp()");
        let answer =
            within(session.statement_timeout(), time.fetch_one(session.start_statement().map_err(query)?))
                .await;
        let received = clock.now();
        let time = session.end_statement(answer).map_err(query)?;
        Ok(Some(ClockReading { asked, time, received }))
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Postgres { pool, .. } => pool.close().await,
            Self::Sqlite { read, write, .. } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

/// Writes a page of the file without changing it, to test whether SQLite can write.
async fn test_write(write: &SqlitePool, health: &Arc<Health>) -> sqlx::Result<()> {
    let mut session = DatabaseSession::begin(write, health, None, "BEGIN IMMEDIATE", true).await?;
    let version: sqlx::Result<i32> =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(session.start_statement()?).await;
    let unchanged = format!("PRAGMA user_version = {}", session.end_statement(version)?);
    let written = sqlx::query(AssertSqlSafe(unchanged)).execute(session.start_statement()?).await;
    session.end_statement(written)?;
    session.commit(true).await
}

/// Maximum duration of a statement after it has locked its rows.
const STATEMENT: Duration = Duration::from_secs(3);

/// How much longer than the database's own timeout the answer to a statement is awaited.
const TRANSIT: Duration = Duration::from_secs(1);

/// How long an idle connection may take to answer a ping before a new one replaces it.
const PING: Duration = Duration::from_millis(500);

fn postgres(url: &str, options: &Options) -> Result<Pools> {
    let milliseconds = |time: Duration| format!("{}ms", time.as_millis().max(1));
    let statement = options.acquire_timeout + STATEMENT;
    let connect = PgConnectOptions::from_str(url)
        .map_err(query)?
        .application_name("insula")
        .log_statements(LevelFilter::Trace)
        .options([
            ("statement_timeout", milliseconds(statement)),
            ("lock_timeout", milliseconds(options.acquire_timeout)),
            ("idle_in_transaction_session_timeout", "10s".to_owned()),
        ]);
    let health = Arc::<Health>::default();
    let known = Arc::clone(&health);
    let pool = PgPoolOptions::new()
        .max_connections(options.pool_size)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let check = known.check(&meta);
            Box::pin(async move {
                match check {
                    Check::Use => Ok(true),
                    Check::Ping => within(Some(PING), connection.ping()).await.map(|()| true),
                    Check::Close => Ok(false),
                }
            })
        })
        .connect_lazy_with(connect);
    pool_metrics::observe(&[(&pool, true)]);
    let timeouts = Timeouts { begin: options.acquire_timeout, statement: statement + TRANSIT };
    Ok(Pools::Postgres { pool, timeouts, health })
}

async fn sqlite(url: &str, options: &Options) -> Result<Pools> {
    let connect = SqliteConnectOptions::from_str(url)
        .map_err(query)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL would double the write rate, but may lose the last acknowledged commits in a power failure.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // For other processes (command line, backup). Inside this one, the writers wait in the queue.
        .busy_timeout(Duration::from_secs(5))
        .log_statements(LevelFilter::Trace);
    let pool =
        || SqlitePoolOptions::new().acquire_timeout(options.acquire_timeout).test_before_acquire(false);
    let write = pool().max_connections(1).connect_with(connect.clone()).await.map_err(query)?;
    let read = pool().max_connections(4).connect_with(connect.read_only(true)).await.map_err(query)?;
    pool_metrics::observe(&[(&write, true), (&read, false)]);
    Ok(Pools::Sqlite { read, write, health: Arc::default() })
}
