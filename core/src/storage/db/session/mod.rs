//! One pooled connection, held for one transaction.
//!
//! A client that disconnects drops the future that serves it, at any of its awaits: while BEGIN, a statement or COMMIT is on
//! its way. sqlx rolls back only what it knows to have begun, and its pool takes a connection back as soon as that answers.
//! So a session notes how far its last statement came. Dropped between two statements, it sends ROLLBACK together with the
//! ping that the pool sends anyway; dropped during one, or after a failure, it first waits until the database has confirmed
//! that no transaction is open. A connection that does not confirm it in time is closed.

use std::{io, sync::Arc, time::Duration};

use futures_util::FutureExt;
use sqlx::{Pool, pool::PoolConnection};

use super::{driver::Driver, health::Health};

/// How long the database has to finish what was interrupted, beyond the longest that one statement may take.
const SETTLE: Duration = Duration::from_secs(4);

/// What is known of the transaction on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// None is open.
    Idle,
    /// One is open, and the answer to its last statement was read in full.
    Open,
    /// A statement is on its way or has failed: only the database knows.
    Unknown,
    /// The database has ended it by itself. Nothing more may run: it would run outside of any transaction.
    Ended,
    /// The connection is of no use any more.
    Broken,
}

/// How long an answer of the database is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// To BEGIN.
    pub(super) begin: Duration,
    /// To every other statement.
    pub(super) statement: Duration,
}

/// A connection inside a transaction; rolled back when it is dropped, and given back to its pool.
pub(super) struct Session<D: Driver> {
    /// `None` only while this is being dropped.
    connection: Option<PoolConnection<D>>,
    state: State,
    /// `None`: as long as it takes.
    patience: Option<Patience>,
    health: Arc<Health>,
    writes: bool,
}

impl<D: Driver> Session<D> {
    /// Takes a connection and sends `message`, which begins a transaction. What fails before anything was written, because
    /// the connection was dead already, is tried once more on a connection that is known to live.
    ///
    /// # Errors
    /// `PoolTimedOut` when no connection is free in time; `Io` when BEGIN is not answered in time.
    pub(super) async fn begin(
        pool: &Pool<D>,
        health: &Arc<Health>,
        patience: Option<Patience>,
        message: &str,
        writes: bool,
    ) -> sqlx::Result<Self> {
        let attempt = async || {
            let connection = Some(pool.acquire().await?);
            let health = Arc::clone(health);
            let mut session = Self { connection, state: State::Idle, patience, health, writes };
            let begun = within(patience.map(|patience| patience.begin), async {
                D::execute(session.enter()?, message).await
            })
            .await;
            session.left(begun)?;
            Ok(session)
        };
        match attempt().await {
            Err(error) if D::state_after(&error) == State::Broken => attempt().await,
            begun => begun,
        }
    }

    /// The connection, for one statement, whose outcome has to be told to [`Session::left`].
    ///
    /// # Errors
    /// `Io` when the transaction has ended already.
    pub(super) fn enter(&mut self) -> sqlx::Result<&mut D::Connection> {
        match (&mut self.connection, self.state) {
            (Some(connection), State::Idle | State::Open | State::Unknown) => {
                self.state = State::Unknown;
                Ok(&mut **connection)
            }
            _ => Err(sqlx::Error::Io(io::Error::other("the transaction has ended already"))),
        }
    }

    /// Notes how a statement ended.
    pub(super) fn left<T>(&mut self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        match &outcome {
            Ok(_) => self.state = State::Open,
            Err(error) => {
                if !matches!(self.state, State::Ended | State::Broken) {
                    self.state = D::state_after(error);
                }
                self.health.failed(error, self.state, self.writes);
            }
        }
        outcome
    }

    /// Longest that a statement may take.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.patience.map(|patience| patience.statement)
    }

    /// Commits; `stored` says whether anything was written.
    ///
    /// # Errors
    /// Whatever the database refuses; `Protocol` when a statement has failed and the database would take COMMIT for ROLLBACK.
    pub(super) async fn commit(mut self, stored: bool) -> sqlx::Result<()> {
        if D::FAILURE_ABORTS && self.state == State::Unknown {
            return Err(sqlx::Error::Protocol("COMMIT after a statement that has failed".to_owned()));
        }
        let patience = self.patience();
        let committed = within(patience, async { D::execute(self.enter()?, "COMMIT").await }).await;
        self.left(committed)?;
        self.state = State::Idle;
        if stored {
            self.health.stored();
        }
        Ok(())
    }
}

impl<D: Driver> Drop for Session<D> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let settle = self.patience.map(|patience| patience.statement + SETTLE);
            #[expect(
                clippy::disallowed_methods,
                reason = "closing the pool waits for every connection, and so for this task"
            )]
            tokio::spawn(give_back(connection, self.state, settle));
        }
    }
}

/// Gives a connection back to its pool without a transaction, or closes it.
async fn give_back<D: Driver>(mut connection: PoolConnection<D>, state: State, settle: Option<Duration>) {
    let back = async {
        let is_idle = match state {
            State::Idle => true,
            State::Open => {
                // Sent and not waited for: the pool's ping, which follows, reads this answer too.
                drop(D::execute(&mut connection, "ROLLBACK").now_or_never());
                true
            }
            State::Unknown | State::Ended => {
                // Should it take too long, it is closed as well.
                connection.close_on_drop();
                let rolled_back = D::execute(&mut connection, "ROLLBACK").await;
                rolled_back.as_ref().err().is_none_or(D::is_outside)
            }
            State::Broken => false,
        };
        match is_idle {
            true => connection.return_to_pool().await,
            // Nobody minds how a connection ends that is of no use.
            false => drop(connection.close().await),
        }
        Ok(())
    };
    if within(settle, back).await.is_err() {
        tracing::warn!("closed a database connection that did not respond");
    }
}

/// What `work` gives, or `Io` when it takes longer than `patience`.
pub(super) async fn within<T>(
    patience: Option<Duration>,
    work: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    match patience {
        None => work.await,
        Some(patience) => match tokio::time::timeout(patience, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
        },
    }
}

#[cfg(test)]
mod tests;
