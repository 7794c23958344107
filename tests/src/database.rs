//! Direct access to the database, for what the API cannot show or do. No other file opens it.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use uuid::Uuid;

/// The database of a server, without the checks of the program; on PostgreSQL also without row-level security.
#[derive(Clone)]
pub enum TestDatabase {
    /// A SQLite file.
    Sqlite(SqlitePool),
    /// A PostgreSQL database, opened as the superuser.
    Postgres(PgPool),
}

/// An open transaction that other transactions wait for.
#[must_use]
pub enum HeldTransaction {
    /// On a SQLite file: its only writer.
    Sqlite(Transaction<'static, Sqlite>),
    /// On a PostgreSQL database.
    Postgres(Transaction<'static, Postgres>),
}

impl HeldTransaction {
    /// Rolls it back.
    pub async fn rollback(self) {
        let released = match self {
            Self::Sqlite(transaction) => transaction.rollback().await,
            Self::Postgres(transaction) => transaction.rollback().await,
        };
        released.expect("a rollback");
    }
}

/// One body for both databases; their types differ, their methods do not.
macro_rules! either {
    ($database:expr, $pool:ident => $body:expr) => {
        match $database {
            TestDatabase::Sqlite($pool) => $body,
            TestDatabase::Postgres($pool) => $body,
        }
    };
}

impl TestDatabase {
    /// Opens the database that `url` names; panics when it does not answer.
    pub async fn connect(url: &str) -> Self {
        Self::open(url).await.unwrap_or_else(|error| panic!("cannot open {url}: {error}"))
    }

    /// As [`TestDatabase::connect`], with an error instead of a panic.
    pub(crate) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        if url.starts_with("postgres") {
            return Ok(Self::Postgres(PgPoolOptions::new().max_connections(1).connect(url).await?));
        }
        // Other writers may take long on a slow machine.
        let options: SqliteConnectOptions = url.parse()?;
        let options = options.busy_timeout(Duration::from_secs(60));
        Ok(Self::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?))
    }

    /// The integer that a query returns, such as `count(*)`.
    pub async fn scalar(&self, sql: &str) -> i64 {
        let row = either!(self, pool => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await);
        row.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The text that a query returns.
    pub async fn text(&self, sql: &str) -> String {
        let row = either!(self, pool => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await);
        row.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The column of texts that a query returns.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = either!(self, pool => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await);
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a statement; returns the number of changed rows.
    pub async fn execute(&self, sql: &str) -> u64 {
        let rows = either!(self, pool => {
            sqlx::query(AssertSqlSafe(sql)).execute(pool).await.map(|done| done.rows_affected())
        });
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs the statements in one transaction.
    pub async fn execute_all(&self, statements: &[String]) {
        either!(self, pool => {
            let mut transaction = pool.begin().await.expect("a transaction");
            for sql in statements {
                let done = sqlx::query(AssertSqlSafe(sql.as_str())).execute(&mut *transaction).await;
                done.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            transaction.commit().await.expect("a commit");
        });
    }

    /// Makes a schedule due, after its first run. A running server runs it within a second.
    pub async fn make_due(&self, schedule: &str) {
        let due = format!("UPDATE schedules SET next_run = created_at WHERE name = '{schedule}'");
        for _ in 0..600 {
            if self.execute(&due).await == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("`{schedule}` was never run");
    }

    /// Lets all logins of these users (SQL for their ids) be too old for what needs a recent one.
    pub async fn backdate_logins(&self, users: &str) {
        let old = "UPDATE sessions SET auth_time = '2026-01-01T00:00:00Z' WHERE user_id IN";
        assert_ne!(self.execute(&format!("{old} {users}")).await, 0);
    }

    /// Inserts an e-mail to this address, sent at the time of the first schedule.
    pub async fn insert_sent_email(&self, to: &str) {
        let (id, platform) = (self.new_id_sql(), self.id(&Uuid::nil().to_string()));
        let mail = format!(
            "INSERT INTO emails (id, organization_id, \"to\", template, status, message_id, attempts, created_at, updated_at)
             SELECT {id}, {platform}, '{to}', 'test', 'sent', '<a@test>', 1, created_at, created_at
             FROM schedules ORDER BY created_at LIMIT 1"
        );
        assert_eq!(self.execute(&mail).await, 1, "{mail}");
    }

    /// Makes a user a member of an organization.
    pub async fn join(&self, slug: &str, email: &str, role: &str) {
        let id = self.new_id_sql();
        let member = format!(
            "INSERT INTO members (id, organization_id, user_id, status, joined_at, version, created_at, updated_at)
             SELECT {id}, o.id, u.id, 'active', u.created_at, 1, u.created_at, u.created_at
             FROM organizations o, users u WHERE o.slug = '{slug}' AND u.email = '{email}'"
        );
        assert_eq!(self.execute(&member).await, 1, "{email} is one user, and {slug} one organization");
        let role = format!(
            "INSERT INTO member_roles (id, organization_id, member_id, role_id, created_at)
             SELECT {id}, m.organization_id, m.id, r.id, m.created_at FROM members m
             JOIN roles r ON r.organization_id = m.organization_id AND r.key = '{role}'
             JOIN organizations o ON o.id = m.organization_id JOIN users u ON u.id = m.user_id
             WHERE o.slug = '{slug}' AND u.email = '{email}'"
        );
        assert_eq!(self.execute(&role).await, 1, "{role}");
    }

    /// SQL for an id as 32 hexadecimal digits on both databases; an empty text for NULL.
    pub fn hex(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("lower(hex({column}))"),
            Self::Postgres(_) => format!("coalesce(replace({column}::text, '-', ''), '')"),
        }
    }

    /// Runs the statements and rolls them back; returns the column of texts of the last one, or the error.
    pub async fn attempt(&self, statements: &[&str]) -> Result<Vec<String>, String> {
        let (last, first) = statements.split_last().expect("at least one statement");
        let outcome: Result<Vec<String>, sqlx::Error> = either!(self, pool => async {
            let mut tx = pool.begin().await?;
            for sql in first {
                sqlx::query(AssertSqlSafe(*sql)).execute(&mut *tx).await?;
            }
            let rows = sqlx::query_scalar(AssertSqlSafe(*last)).fetch_all(&mut *tx).await;
            tx.rollback().await?;
            rows
        }.await);
        outcome.map_err(|error| error.to_string())
    }

    /// Runs a statement in a transaction that stays open. This value is blocked until its end.
    pub async fn hold(&self, sql: &str) -> HeldTransaction {
        macro_rules! held {
            ($pool:expr) => {{
                let mut transaction = $pool.begin().await.expect("a transaction");
                let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut *transaction).await;
                done.unwrap_or_else(|error| panic!("{sql}: {error}"));
                transaction
            }};
        }
        match self {
            Self::Sqlite(pool) => HeldTransaction::Sqlite(held!(pool)),
            Self::Postgres(pool) => HeldTransaction::Postgres(held!(pool)),
        }
    }

    /// On PostgreSQL: the roles of the application and of the system, as in the policies.
    pub async fn roles(&self) -> [String; 2] {
        let named = |policy: &str| {
            format!(
                "SELECT r.rolname::text FROM pg_policy p JOIN pg_roles r ON r.oid = p.polroles[1]
                 JOIN pg_class c ON c.oid = p.polrelid WHERE c.relname = 'organizations' AND p.polname = '{policy}'"
            )
        };
        [self.text(&named("own_organization")).await, self.text(&named("system_read")).await]
    }

    /// Closes its connections, so that a database can be dropped or a file copied.
    pub async fn close(self) {
        either!(self, pool => pool.close().await);
    }
}

/// SQL for an id on one of the two databases.
pub(crate) fn sql_id(id: &str, is_postgres: bool) -> String {
    if is_postgres { format!("'{id}'::uuid") } else { format!("X'{}'", id.replace('-', "")) }
}
