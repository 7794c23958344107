//! An open transaction on either database. It rolls back when it is dropped. A read is never committed, because the
//! rollback is sent together with the ping that the pool sends anyway ([`super::session`]).

use std::{
    sync::{
        Arc, Mutex as SyncMutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, Values, sea_query::Expr,
};
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Executor, Postgres, Sqlite};
use tokio::sync::Mutex;

use super::{
    chunks::refuse_too_many,
    driver::Driver,
    error::{exec, query},
    measured_statement::MeasuredStatement,
    roles::QuotedRoles,
    session::{DatabaseSession, within},
};
use crate::{
    Error, Result,
    base::ids::OrgId,
    runtime::{
        cluster::{Cluster, Invalidation},
        job_wakeup::{JobRef, JobWakeup},
    },
};

/// The PostgreSQL role of the transaction. SQLite has no roles; there, types and keys isolate organizations.
#[derive(Clone, Copy, Debug)]
pub(super) enum DatabaseRole {
    /// The application role: the rows of one organization, or of none yet.
    App(Option<OrgId>),
    /// The system role: reads the rows of all organizations and changes nothing.
    System,
}

impl DatabaseRole {
    fn role(self, roles: &QuotedRoles) -> &str {
        match self {
            Self::App(_) => &roles.app,
            Self::System => &roles.system,
        }
    }

    /// One message, so that setting the role takes no additional round trip. An id is a UUID, so it needs no quoting.
    pub(super) fn begin_message(self, roles: &QuotedRoles, writes: bool) -> String {
        // A read sees one snapshot in all its statements, as on SQLite. A write does not say READ WRITE, because that
        // would override the operator's configuration, and a standby would refuse it as an unsupported feature.
        let mode = if writes { "" } else { " ISOLATION LEVEL REPEATABLE READ, READ ONLY" };
        let role = self.role(roles);
        match self {
            Self::App(Some(org)) => format!("BEGIN{mode}; SET LOCAL ROLE {role}; {}", scope_message(org)),
            Self::App(None) | Self::System => format!("BEGIN{mode}; SET LOCAL ROLE {role}"),
        }
    }
}

fn scope_message(org: OrgId) -> String {
    format!("SET LOCAL insula.org = '{org}'")
}

pub(super) enum Transaction {
    Postgres(Mutex<DatabaseSession<Postgres>>),
    Sqlite(Mutex<DatabaseSession<Sqlite>>),
}

impl From<DatabaseSession<Postgres>> for Transaction {
    fn from(session: DatabaseSession<Postgres>) -> Self {
        Self::Postgres(Mutex::new(session))
    }
}

impl From<DatabaseSession<Sqlite>> for Transaction {
    fn from(session: DatabaseSession<Sqlite>) -> Self {
        Self::Sqlite(Mutex::new(session))
    }
}

impl Transaction {
    /// Begins to measure a statement.
    fn measure(&self, sql: &str) -> MeasuredStatement {
        let system = match self {
            Self::Postgres(_) => Postgres::SYSTEM,
            Self::Sqlite(_) => Sqlite::SYSTEM,
        };
        MeasuredStatement::begin(system, sql)
    }

    async fn commit(self, has_writes: bool) -> Result<()> {
        let committed = match self {
            Self::Postgres(session) => session.into_inner().commit(has_writes).await,
            Self::Sqlite(session) => session.into_inner().commit(has_writes).await,
        };
        Ok(committed.map_err(exec)?)
    }
}

/// Runs one statement on the open connection.
macro_rules! run {
    ($transaction:expr, $connection:ident => $work:expr, $then:expr) => {
        match $transaction {
            Transaction::Postgres(session) => run!(in session, $connection => $work).map($then),
            Transaction::Sqlite(session) => run!(in session, $connection => $work).map($then),
        }
    };
    (in $session:expr, $connection:ident => $work:expr) => {{
        let mut session = $session.lock().await;
        let timeout = session.statement_timeout();
        let outcome = match session.start_statement() {
            Ok($connection) => within(timeout, $work).await,
            Err(error) => Err(error),
        };
        session.end_statement(outcome)
    }};
}

/// The SQL of a statement and its values.
fn parts(statement: Statement) -> Result<(AssertSqlSafe<String>, SqlxValues), DbErr> {
    refuse_too_many(&statement)?;
    Ok((AssertSqlSafe(statement.sql), SqlxValues(statement.values.unwrap_or(Values(Vec::new())))))
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Postgres(_) => DbBackend::Postgres,
            Self::Sqlite(_) => DbBackend::Sqlite,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let measured = self.measure(&statement.sql);
        let (sql, values) = parts(statement)?;
        measured
            .finish(run!(self, open => sqlx::query_with(sql, values).execute(open), Into::into))
            .map_err(exec)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let (measured, sql) = (self.measure(sql), AssertSqlSafe(sql.to_owned()));
        measured.finish(run!(self, open => open.execute(sql), Into::into)).map_err(exec)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let measured = self.measure(&statement.sql);
        let (sql, values) = parts(statement)?;
        let row = run!(
            self,
            open => sqlx::query_with(sql, values).fetch_optional(open),
            |row| row.map(Into::into)
        );
        measured.finish(row).map_err(query)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let measured = self.measure(&statement.sql);
        let (sql, values) = parts(statement)?;
        let rows = run!(
            self,
            open => sqlx::query_with(sql, values).fetch_all(open),
            |rows| rows.into_iter().map(Into::into).collect()
        );
        measured.finish(rows).map_err(query)
    }
}

/// A transaction with its effects. All scopes that were entered on it share it. The last one commits.
pub(super) struct OpenTransaction {
    pub(super) transaction: Transaction,
    roles: Arc<QuotedRoles>,
    /// The instant of all changes in this transaction.
    pub(super) now: DateTime<Utc>,
    writes: AtomicU32,
    events: AtomicU32,
    effects: CommitEffects,
}

/// What other processes and workers learn after a transaction. It is published when this is dropped, if it is due.
struct CommitEffects {
    cluster: Cluster,
    invalidations: SyncMutex<Vec<Invalidation>>,
    wakeup: JobWakeup,
    job_refs: SyncMutex<Vec<JobRef>>,
    are_due: bool,
}

impl Drop for CommitEffects {
    fn drop(&mut self) {
        if self.are_due {
            self.cluster.publish(self.invalidations.get_mut().unwrap_or_else(PoisonError::into_inner));
            self.wakeup.notify(self.job_refs.get_mut().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl OpenTransaction {
    pub(super) fn new(
        (transaction, roles): (Transaction, Arc<QuotedRoles>),
        now: DateTime<Utc>,
        cluster: Cluster,
        wakeup: JobWakeup,
    ) -> Self {
        let (invalidations, job_refs) = Default::default();
        let effects = CommitEffects { cluster, invalidations, wakeup, job_refs, are_due: false };
        Self { transaction, roles, now, writes: AtomicU32::new(0), events: AtomicU32::new(0), effects }
    }

    /// Records what to invalidate after the commit.
    pub(super) fn invalidate(&self, invalidation: Invalidation) {
        let mut invalidations = self.effects.invalidations.lock().unwrap_or_else(PoisonError::into_inner);
        if !invalidations.contains(&invalidation) {
            invalidations.push(invalidation);
        }
    }

    /// Records a job of which workers are notified after the commit.
    pub(super) fn job_ref(&self, job_ref: JobRef) {
        self.effects.job_refs.lock().unwrap_or_else(PoisonError::into_inner).push(job_ref);
    }

    /// The current instant as SQL. It is the database's own clock, if it has one that compares with stored instants, so
    /// that processes with different clocks agree.
    pub(super) fn sql_now(&self) -> Expr {
        match self.transaction {
            Transaction::Postgres(_) => Expr::current_timestamp(),
            Transaction::Sqlite(_) => Expr::value(self.now),
        }
    }

    /// Like [`OpenTransaction::sql_now`], `wait` later.
    pub(super) fn sql_after(&self, wait: Duration) -> Expr {
        match self.transaction {
            Transaction::Postgres(_) => {
                Expr::cust_with_values("CURRENT_TIMESTAMP + make_interval(secs => $1)", [wait.as_secs_f64()])
            }
            Transaction::Sqlite(_) => Expr::value(self.now + wait),
        }
    }

    pub(super) fn wrote(&self) {
        self.writes.fetch_add(1, Relaxed);
    }

    pub(super) fn recorded(&self) {
        self.events.fetch_add(1, Relaxed);
    }

    /// Enters another organization, on the same connection.
    pub(super) async fn scope(&self, org: OrgId) -> Result<()> {
        if let Transaction::Postgres(_) = self.transaction {
            self.transaction.execute_unprepared(&scope_message(org)).await?;
        }
        Ok(())
    }

    /// Sets another role, on the same connection. The scope stays the same.
    pub(super) async fn set_role(&self, database_role: DatabaseRole) -> Result<()> {
        if let Transaction::Postgres(_) = self.transaction {
            self.transaction
                .execute_unprepared(&format!("SET LOCAL ROLE {}", database_role.role(&self.roles)))
                .await?;
        }
        Ok(())
    }

    /// Commits. In debug builds, it refuses changes without an audit event.
    pub(super) async fn commit(self: Arc<Self>) -> Result<()> {
        if cfg!(debug_assertions) && self.writes.load(Relaxed) > 0 && self.events.load(Relaxed) == 0 {
            return Err(Error::Internal("a change was about to be committed without an audit event"));
        }
        self.commit_unaudited().await
    }

    pub(super) async fn commit_unaudited(self: Arc<Self>) -> Result<()> {
        let open = Arc::into_inner(self);
        let Self { transaction, mut effects, writes, .. } =
            open.ok_or(Error::Internal("a transaction was committed while a scope on it was still in use"))?;
        // Effects are published after the commit, and also if it fails or is interrupted, because its outcome is then
        // unknown.
        effects.are_due = true;
        transaction.commit(writes.into_inner() > 0).await
    }
}
