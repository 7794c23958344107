//! One pooled connection, held for one transaction.
//!
//! When a client disconnects, the future of its request is dropped at any of its awaits, also while BEGIN, a statement
//! or COMMIT is being sent. sqlx only rolls back a transaction that it knows to have begun, and its pool takes a
//! connection back as soon as it answers a ping. A session therefore tracks the state of its last statement. If it is
//! dropped between two statements, it sends ROLLBACK together with the ping that the pool sends anyway. If it is
//! dropped during a statement, or after an error, it first waits until the database confirms that no transaction is
//! open. A connection that does not confirm it in time is closed.

use std::{io, sync::Arc, time::Duration};

use futures_util::FutureExt;
use sqlx::{Pool, pool::PoolConnection};

use super::{driver::Driver, health::Health, measured_statement::MeasuredStatement, pool_metrics};

/// How long the database may take to finish an interrupted statement, in addition to its timeout.
const SETTLE: Duration = Duration::from_secs(4);

/// The known state of the transaction on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransactionState {
    /// No transaction is open.
    Idle,
    /// A transaction is open, and the answer to its last statement was read completely.
    Open,
    /// A statement is being sent or has failed, so only the database knows the state.
    Unknown,
    /// The database ended the transaction. No further statement may run, because it would run outside of a transaction.
    Ended,
    /// The connection cannot be used any more.
    Broken,
}

/// How long answers of the database are awaited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// For BEGIN.
    pub(super) begin: Duration,
    /// For every other statement.
    pub(super) statement: Duration,
}

/// A connection inside a transaction. When it is dropped, it is rolled back and returned to its pool.
pub(super) struct DatabaseSession<D: Driver> {
    /// `None` only while this is being dropped.
    connection: Option<PoolConnection<D>>,
    state: TransactionState,
    /// `None` for no timeouts.
    timeouts: Option<Timeouts>,
    health: Arc<Health>,
    writes: bool,
}

impl<D: Driver> DatabaseSession<D> {
    /// Takes a connection and sends `message`, which begins a transaction. If it fails before anything was written,
    /// because the connection was dead, it is tried once more on a connection that is alive.
    ///
    /// # Errors
    /// `PoolTimedOut` if no connection is free in time; `Io` if BEGIN is not answered in time.
    pub(super) async fn begin(
        pool: &Pool<D>,
        health: &Arc<Health>,
        timeouts: Option<Timeouts>,
        message: &str,
        writes: bool,
    ) -> sqlx::Result<Self> {
        let attempt = async || {
            let connection = Some(pool_metrics::acquire(pool, writes).await?);
            let health = Arc::clone(health);
            let mut session = Self { connection, state: TransactionState::Idle, timeouts, health, writes };
            let begun = within(timeouts.map(|timeouts| timeouts.begin), async {
                D::execute(session.start_statement()?, message).await
            })
            .await;
            session.end_statement(begun)?;
            Ok(session)
        };
        let measured = MeasuredStatement::begin(D::SYSTEM, "BEGIN");
        measured.finish(match attempt().await {
            Err(error) if D::state_after(&error) == TransactionState::Broken => attempt().await,
            begun => begun,
        })
    }

    /// The connection, for one statement, whose outcome must be passed to [`DatabaseSession::end_statement`].
    ///
    /// # Errors
    /// `Io` if the transaction has already ended.
    pub(super) fn start_statement(&mut self) -> sqlx::Result<&mut D::Connection> {
        match (&mut self.connection, self.state) {
            (
                Some(connection),
                TransactionState::Idle | TransactionState::Open | TransactionState::Unknown,
            ) => {
                self.state = TransactionState::Unknown;
                Ok(&mut **connection)
            }
            _ => Err(sqlx::Error::Io(io::Error::other("the transaction has ended already"))),
        }
    }

    /// Records the outcome of a statement.
    pub(super) fn end_statement<T>(&mut self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        match &outcome {
            Ok(_) => self.state = TransactionState::Open,
            Err(error) => {
                if !matches!(self.state, TransactionState::Ended | TransactionState::Broken) {
                    self.state = D::state_after(error);
                }
                self.health.record_error(error, self.state, self.writes);
            }
        }
        outcome
    }

    /// Timeout of a statement.
    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        self.timeouts.map(|timeouts| timeouts.statement)
    }

    /// Commits. `has_writes`: was anything written?
    ///
    /// # Errors
    /// Database errors; `Protocol` if a statement has failed and the database would treat COMMIT as ROLLBACK.
    pub(super) async fn commit(mut self, has_writes: bool) -> sqlx::Result<()> {
        if D::FAILURE_ABORTS && self.state == TransactionState::Unknown {
            return Err(sqlx::Error::Protocol("COMMIT after a statement that has failed".to_owned()));
        }
        let (timeout, measured) = (self.statement_timeout(), MeasuredStatement::begin(D::SYSTEM, "COMMIT"));
        let committed = within(timeout, async { D::execute(self.start_statement()?, "COMMIT").await }).await;
        measured.finish(self.end_statement(committed))?;
        self.state = TransactionState::Idle;
        if has_writes {
            self.health.record_commit();
        }
        Ok(())
    }
}

impl<D: Driver> Drop for DatabaseSession<D> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let settle = self.timeouts.map(|timeouts| timeouts.statement + SETTLE);
            #[expect(
                clippy::disallowed_methods,
                reason = "closing the pool waits for every connection, and so for this task"
            )]
            tokio::spawn(release(connection, self.state, settle));
        }
    }
}

/// Returns a connection without a transaction to its pool, or closes it.
async fn release<D: Driver>(
    mut connection: PoolConnection<D>,
    state: TransactionState,
    settle: Option<Duration>,
) {
    let returned = async {
        let is_idle = match state {
            TransactionState::Idle => true,
            TransactionState::Open => {
                // Not awaited, because the pool's ping, which follows, also reads this answer.
                drop(D::execute(&mut connection, "ROLLBACK").now_or_never());
                true
            }
            TransactionState::Unknown | TransactionState::Ended => {
                // If it takes too long, the connection is closed, too.
                connection.close_on_drop();
                let rolled_back = D::execute(&mut connection, "ROLLBACK").await;
                rolled_back.as_ref().err().is_none_or(D::means_no_transaction)
            }
            TransactionState::Broken => false,
        };
        match is_idle {
            true => connection.return_to_pool().await,
            // How an unusable connection ends does not matter.
            false => drop(connection.close().await),
        }
        Ok(())
    };
    if within(settle, returned).await.is_err() {
        tracing::warn!("closed a database connection that did not respond");
    }
}

/// The result of `work`, or `Io` if it takes longer than `timeout`.
pub(super) async fn within<T>(
    timeout: Option<Duration>,
    work: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    match timeout {
        None => work.await,
        Some(timeout) => match tokio::time::timeout(timeout, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
        },
    }
}

#[cfg(test)]
mod tests;
