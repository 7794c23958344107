//! The pools of connections. The only file that chooses a database.

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
    clock_skew::Answer,
    error::query,
    health::{Check, DatabaseTrouble, Health},
    roles::Roles,
    session::{Patience, Session, within},
    transaction::{DatabaseRole, Transaction},
};
use crate::{Error, Result, base::clock::Clock};

/// SQLite is opened twice: one writer, whose queue makes waiting fair, and readers that cannot write at all.
#[derive(Clone)]
pub(super) enum Pools {
    Postgres { pool: PgPool, patience: Patience, health: Arc<Health> },
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

    /// Begins with hat and scope in the same message: one round trip.
    pub(super) async fn begin(
        &self,
        database_role: DatabaseRole,
        roles: &Roles,
        writes: bool,
    ) -> Result<Transaction> {
        let begun = match self {
            Self::Postgres { pool, patience, health } => {
                let message = database_role.begin_message(roles, writes);
                Session::begin(pool, health, Some(*patience), &message, writes).await.map(Transaction::from)
            }
            // IMMEDIATE: a read that becomes a write later would fail at once when another writer was faster.
            Self::Sqlite { write, health, .. } if writes => {
                Session::begin(write, health, None, "BEGIN IMMEDIATE", true).await.map(Transaction::from)
            }
            Self::Sqlite { read, health, .. } => {
                Session::begin(read, health, None, "BEGIN", false).await.map(Transaction::from)
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

    /// What keeps the database from serving, which is asked for an answer.
    ///
    /// # Errors
    /// Whatever keeps it from answering.
    pub(super) async fn trouble(&self) -> sqlx::Result<Option<DatabaseTrouble>> {
        match self {
            Self::Postgres { pool, patience, health } => {
                let mut session = Session::begin(pool, health, Some(*patience), "BEGIN", false).await?;
                let asked = sqlx::query_scalar("SELECT current_setting('transaction_read_only') = 'on'");
                let answer = within(session.patience(), asked.fetch_one(session.enter()?)).await;
                if session.left(answer)? {
                    health.is_read_only();
                    return Ok(Some(DatabaseTrouble::ReadOnly));
                }
                Ok(health.lately())
            }
            Self::Sqlite { read, write, health } => {
                let mut session = Session::begin(read, health, None, "BEGIN", false).await?;
                let answer = sqlx::query("PRAGMA user_version").execute(session.enter()?).await;
                session.left(answer)?;
                drop(session);
                let Some((trouble, try_again)) = health.unstored() else { return Ok(None) };
                let is_over = try_again && store_nothing(write, health).await.is_ok();
                Ok((!is_over).then_some(trouble))
            }
        }
    }

    /// What time the database says it is; `None`: it has no clock of its own. `clock`: this machine's.
    pub(super) async fn ask_time(&self, clock: Clock) -> Result<Option<Answer>> {
        let Self::Postgres { pool, patience, health } = self else { return Ok(None) };
        let mut session =
            Session::begin(pool, health, Some(*patience), "BEGIN", false).await.map_err(query)?;
        let asked = clock.now();
        let time = sqlx::query_scalar("SELECT clock_timestamp()");
        let answer = within(session.patience(), time.fetch_one(session.enter().map_err(query)?)).await;
        let received = clock.now();
        let time = session.left(answer).map_err(query)?;
        Ok(Some(Answer { asked, time, received }))
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

/// Stores something that changes nothing: a page of the file, which SQLite has to write even where it stays the same.
async fn store_nothing(write: &SqlitePool, health: &Arc<Health>) -> sqlx::Result<()> {
    let mut session = Session::begin(write, health, None, "BEGIN IMMEDIATE", true).await?;
    let version: sqlx::Result<i32> =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(session.enter()?).await;
    let same = format!("PRAGMA user_version = {}", session.left(version)?);
    let written = sqlx::query(AssertSqlSafe(same)).execute(session.enter()?).await;
    session.left(written)?;
    session.commit(true).await
}

/// Longest that a statement may run once it has the rows it waits for.
const STATEMENT: Duration = Duration::from_secs(3);

/// How much longer than the database itself allows a statement its answer is waited for.
const TRANSIT: Duration = Duration::from_secs(1);

/// How long an idle connection has to show that it lives, before a new one takes its place.
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
    let patience = Patience { begin: options.acquire_timeout, statement: statement + TRANSIT };
    Ok(Pools::Postgres { pool, patience, health })
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
    Ok(Pools::Sqlite { read, write, health: Arc::default() })
}
