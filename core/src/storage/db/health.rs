//! What the last failures say of the database: which pooled connections may be dead, and whether it can store anything.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::pool::PoolConnectionMetadata;

use super::{
    error::{Condition, condition},
    session::State,
};

/// An idle connection is asked whether it lives only after this long: a ping on every use would cost a round trip.
const PING_AFTER: Duration = Duration::from_secs(30);

/// A failure to store counts at least this long, unless something is stored.
const REMEMBERED: Duration = Duration::from_secs(5);

/// A connection is replaced at most this often.
const AGAIN: Duration = Duration::from_secs(1);

/// Why the database cannot do its work now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatabaseTrouble {
    /// It does not answer, is starting or stopping, or takes no more connections.
    Unreachable,
    /// It can only be read: a standby, or set so by its operator.
    ReadOnly,
    /// There is no room left.
    Full,
    /// Its disk fails.
    Failing,
}

impl DatabaseTrouble {
    /// In a few words, for operators; names nothing internal.
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

/// What is remembered of failures. Shared by every session of one database.
#[derive(Default)]
pub(super) struct Health(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// When a connection was last found broken: those that were idle then may be broken too.
    broke: Option<Instant>,
    /// When a connection was last found to reach a server that can only be read: those made before may reach the same.
    read_only: Option<Instant>,
    /// The last failure to store, unless something was stored since.
    unstored: Option<(Instant, DatabaseTrouble)>,
}

impl Health {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a failure on a connection, which has this state by then.
    pub(super) fn failed(&self, error: &sqlx::Error, state: State, writes: bool) {
        let trouble = match condition(error) {
            Some(Condition::Trouble(trouble)) => Some(trouble),
            _ => None,
        };
        let now = Instant::now();
        let mut memory = self.memory();
        match trouble {
            Some(DatabaseTrouble::ReadOnly) if writes => memory.read_only = Some(now),
            _ if state == State::Broken => memory.broke = Some(now),
            _ => {}
        }
        if let Some(trouble @ (DatabaseTrouble::Full | DatabaseTrouble::Failing | DatabaseTrouble::ReadOnly)) =
            trouble
            && writes
        {
            memory.unstored = Some((now, trouble));
        }
    }

    /// Notes that the server can only be read.
    pub(super) fn is_read_only(&self) {
        self.memory().read_only = Some(Instant::now());
    }

    /// Notes that something was stored for good.
    pub(super) fn stored(&self) {
        self.memory().unstored = None;
    }

    /// Why nothing could be stored within the last seconds.
    pub(super) fn lately(&self) -> Option<DatabaseTrouble> {
        let (since, trouble) = self.memory().unstored?;
        (since.elapsed() < REMEMBERED).then_some(trouble)
    }

    /// Why nothing could be stored the last time, and whether to find out now if that lasts: not within the first seconds,
    /// in which less than what failed may succeed, and by one at a time.
    pub(super) fn unstored(&self) -> Option<(DatabaseTrouble, bool)> {
        let mut memory = self.memory();
        let (since, trouble) = memory.unstored.as_mut()?;
        let is_due = since.elapsed() >= REMEMBERED;
        if is_due {
            *since = Instant::now();
        }
        Some((*trouble, is_due))
    }

    /// Whether an idle connection can be used as it is.
    pub(super) fn check(&self, meta: &PoolConnectionMetadata) -> Check {
        let memory = self.memory();
        let since = |then: Option<Instant>| then.map(|then| then.elapsed());
        match () {
            () if since(memory.read_only).is_some_and(|since| meta.age > since.max(AGAIN)) => Check::Close,
            () if since(memory.broke).is_some_and(|since| meta.idle_for > since) => Check::Ping,
            () if meta.idle_for > PING_AFTER => Check::Ping,
            () => Check::Use,
        }
    }
}
