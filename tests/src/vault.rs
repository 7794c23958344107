//! The only one that opens the database: for what no door shows, and for what no door may do.

use sqlx::{AssertSqlSafe, PgPool, SqlitePool, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};

/// The database of a server, seen past all doors and, on PostgreSQL, past row-level security.
#[derive(Clone)]
pub enum Vault {
    /// A SQLite file.
    Sqlite(SqlitePool),
    /// A PostgreSQL database, opened as the superuser.
    Postgres(PgPool),
}

/// One body for both databases; their types differ, their methods do not.
macro_rules! either {
    ($vault:expr, $pool:ident => $body:expr) => {
        match $vault {
            Vault::Sqlite($pool) => $body,
            Vault::Postgres($pool) => $body,
        }
    };
}

impl Vault {
    /// Opens the database that `url` names; panics when it does not answer.
    pub async fn connect(url: &str) -> Self {
        Self::open(url).await.unwrap_or_else(|error| panic!("cannot open {url}: {error}"))
    }

    /// As [`Vault::connect`], for those who can wait for a server.
    pub(crate) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        if url.starts_with("postgres") {
            return Ok(Self::Postgres(PgPoolOptions::new().max_connections(1).connect(url).await?));
        }
        Ok(Self::Sqlite(SqlitePoolOptions::new().max_connections(1).connect(url).await?))
    }

    /// The one number that a query answers with; `count(*)` is one.
    pub async fn scalar(&self, sql: &str) -> i64 {
        let row = either!(self, pool => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await);
        row.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The one text that a query answers with.
    pub async fn text(&self, sql: &str) -> String {
        let row = either!(self, pool => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await);
        row.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The one column of texts that a query answers with.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = either!(self, pool => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await);
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a statement and says how many rows it changed.
    pub async fn execute(&self, sql: &str) -> u64 {
        let rows = either!(self, pool => {
            sqlx::query(AssertSqlSafe(sql)).execute(pool).await.map(|done| done.rows_affected())
        });
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Closes its connections, so that a database can be dropped or a file copied.
    pub async fn close(self) {
        either!(self, pool => pool.close().await);
    }
}
