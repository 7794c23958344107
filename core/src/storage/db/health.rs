//! The health of the database, as shown by recent errors: which pooled connections may be dead, and whether writes
//! succeed.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::pool::PoolConnectionMetadata;

use super::{
    error::{Condition, condition},
    session::TransactionState,
};

/// An idle connection is pinged only after this long, because a ping costs a round trip.
const PING_AFTER: Duration = Duration::from_secs(30);

/// A failed write counts for at least this long, unless a write succeeds.
const REMEMBER_FOR: Duration = Duration::from_secs(5);

/// A connection is replaced at most this often.
const REPLACE_INTERVAL: Duration = Duration::from_secs(1);

/// Why the database cannot do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatabaseTrouble {
    /// It does not respond, is starting or stopping, or accepts no more connections.
    Unreachable,
    /// It is read-only: a standby, or configured so by its operator.
    ReadOnly,
    /// Its disk is full.
    Full,
    /// Its disk fails.
    Failing,
}

impl DatabaseTrouble {
    /// The reason in a few words, for operators, without internal names.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unreachable => "the database does not respond",
            Self::ReadOnly => "the database is read-only",
            Self::Full => "the database has no disk space left",
            Self::Failing => "the database cannot use its disk",
        }
    }
}

/// What to do with an idle connection before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Use,
    Ping,
    Close,
}

/// Remembers recent errors. All sessions of one database share it.
#[derive(Default)]
pub(super) struct Health(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// When a connection was last found broken. Connections that were idle at that time may be broken, too.
    broken_at: Option<Instant>,
    /// When a connection last reached a read-only server. Older connections may reach the same server.
    read_only_at: Option<Instant>,
    /// The last failed write, unless a write succeeded since.
    failed_write: Option<(Instant, DatabaseTrouble)>,
}

impl Health {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an error on a connection, which then has this state.
    pub(super) fn record_error(&self, error: &sqlx::Error, state: TransactionState, writes: bool) {
        let trouble = match condition(error) {
            Some(Condition::Trouble(trouble)) => Some(trouble),
            _ => None,
        };
        let now = Instant::now();
        let mut memory = self.memory();
        match trouble {
            Some(DatabaseTrouble::ReadOnly) if writes => memory.read_only_at = Some(now),
            _ if state == TransactionState::Broken => memory.broken_at = Some(now),
            _ => {}
        }
        if let Some(trouble @ (DatabaseTrouble::Full | DatabaseTrouble::Failing | DatabaseTrouble::ReadOnly)) =
            trouble
            && writes
        {
            memory.failed_write = Some((now, trouble));
        }
    }

    /// Records that the server is read-only.
    pub(super) fn record_read_only(&self) {
        self.memory().read_only_at = Some(Instant::now());
    }

    /// Records a successful commit.
    pub(super) fn record_commit(&self) {
        self.memory().failed_write = None;
    }

    /// Why writes failed recently; `None` if they did not.
    pub(super) fn recent_trouble(&self) -> Option<DatabaseTrouble> {
        let (since, trouble) = self.memory().failed_write?;
        (since.elapsed() < REMEMBER_FOR).then_some(trouble)
    }

    /// Why the last write failed, and whether to test now if that is still so. The test is not due within the first
    /// seconds, in which a smaller write might succeed, and one caller at a time makes it.
    pub(super) fn failed_write(&self) -> Option<(DatabaseTrouble, bool)> {
        let mut memory = self.memory();
        let (since, trouble) = memory.failed_write.as_mut()?;
        let is_due = since.elapsed() >= REMEMBER_FOR;
        if is_due {
            *since = Instant::now();
        }
        Some((*trouble, is_due))
    }

    /// Can an idle connection be used as it is?
    pub(super) fn check(&self, meta: &PoolConnectionMetadata) -> Check {
        let memory = self.memory();
        let since = |then: Option<Instant>| then.map(|then| then.elapsed());
        match () {
            () if since(memory.read_only_at).is_some_and(|since| meta.age > since.max(REPLACE_INTERVAL)) => {
                Check::Close
            }
            () if since(memory.broken_at).is_some_and(|since| meta.idle_for > since) => Check::Ping,
            () if meta.idle_for > PING_AFTER => Check::Ping,
            () => Check::Use,
        }
    }
}
