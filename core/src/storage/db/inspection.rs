//! What operators want to know about the database itself.

use std::time::{Duration, Instant};

use sqlx::Row;

use super::{Db, error::query, pools::Pools};
use crate::Result;

/// Transactions that have been open for longer than `$1` seconds.
const LONG_TRANSACTIONS: &str = "SELECT pid, extract(epoch FROM now() - xact_start)::float8 AS seconds, \
     coalesce(application_name, '') AS application FROM pg_stat_activity \
     WHERE datname = current_database() AND pid <> pg_backend_pid() \
       AND xact_start < now() - make_interval(secs => $1) ORDER BY xact_start LIMIT 5";

/// From this age in seconds on, a transaction is long. Those of Insula end within seconds.
const LONG_TRANSACTION: f64 = 300.0;

/// The state of a database.
#[derive(Clone, Debug)]
pub struct DatabaseFacts {
    /// The kind and version, such as `PostgreSQL 15.18`.
    pub version: String,
    /// The time of a query that does nothing, on an open connection.
    pub latency: Duration,
    /// The number of connections of the whole cluster, and its maximum; `None` on SQLite.
    pub connections: Option<(i64, i64)>,
    /// Long transactions, such as `process 4711 (psql) for 3600 s`.
    pub long_transactions: Vec<String>,
}

impl Db {
    /// Asks the database about itself. Changes nothing.
    ///
    /// # Errors
    /// If the database does not respond.
    pub async fn inspect(&self) -> Result<DatabaseFacts> {
        self.pools.inspect().await.map_err(|error| query(error).into())
    }
}

impl Pools {
    async fn inspect(&self) -> sqlx::Result<DatabaseFacts> {
        match self {
            Self::Sqlite { read, .. } => {
                let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(read).await?;
                let started = Instant::now();
                sqlx::query("SELECT 1").execute(read).await?;
                Ok(DatabaseFacts {
                    version: format!("SQLite {version}"),
                    latency: started.elapsed(),
                    connections: None,
                    long_transactions: Vec::new(),
                })
            }
            Self::Postgres { pool, .. } => {
                let row = sqlx::query(
                    "SELECT current_setting('server_version') AS version, \
                     current_setting('max_connections')::int8 AS max, \
                     (SELECT count(*) FROM pg_stat_activity) AS used",
                );
                let row = row.fetch_one(pool).await?;
                let started = Instant::now();
                sqlx::query("SELECT 1").execute(pool).await?;
                let latency = started.elapsed();
                let long = sqlx::query(LONG_TRANSACTIONS).bind(LONG_TRANSACTION).fetch_all(pool).await?;
                let describe = |row: &sqlx::postgres::PgRow| {
                    let (pid, seconds): (i32, f64) = (row.get("pid"), row.get("seconds"));
                    format!("process {pid} ({}) for {seconds:.0} s", row.get::<String, _>("application"))
                };
                let version: String = row.get("version");
                let version = version.split_whitespace().next().unwrap_or_default();
                Ok(DatabaseFacts {
                    version: format!("PostgreSQL {version}"),
                    latency,
                    connections: Some((row.get("used"), row.get("max"))),
                    long_transactions: long.iter().map(describe).collect(),
                })
            }
        }
    }
}
