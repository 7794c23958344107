//! Maps errors of either database: one table from constraints to error codes.

use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use sqlx::{
    error::{DatabaseError, ErrorKind},
    postgres::{PgDatabaseError, PgSeverity},
    sqlite::SqliteError,
};

use Condition::{Busy, Trouble as In};

use super::health::DatabaseTrouble;
use crate::base::error::{Error, ErrorCode};

/// Unique constraints that users can violate. PostgreSQL names the index, SQLite the columns.
const UNIQUE: &[(&str, &str, ErrorCode)] = &[
    ("users_email_key", "users.email_canonical", ErrorCode::EmailTaken),
    ("users_username_key", "users.username_canonical", ErrorCode::UsernameTaken),
    ("organizations_slug_key", "organizations.slug", ErrorCode::SlugTaken),
    (
        "owner_transfers_organization_pending_key",
        "owner_transfers.organization_id",
        ErrorCode::TransferPending,
    ),
    ("roles_organization_name_key", "roles.organization_id, roles.name_key", ErrorCode::RoleNameTaken),
    (
        "invitations_pending_email_key",
        "invitations.organization_id, invitations.email_canonical",
        ErrorCode::InvitationPending,
    ),
    (
        "projects_organization_code_key",
        "projects.organization_id, projects.code_key",
        ErrorCode::ProjectCodeTaken,
    ),
    ("tags_organization_name_key", "tags.organization_id, tags.name_key", ErrorCode::TagNameTaken),
    (
        "time_entries_running_key",
        "time_entries.organization_id, time_entries.member_id",
        ErrorCode::TimerRunning,
    ),
];

/// The condition of the database that an error shows, independent of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// A lock is held or a resource is short. The same statement may succeed soon.
    Busy,
    /// The database cannot do its work.
    Trouble(DatabaseTrouble),
}

/// The meaning of SQLSTATEs (PostgreSQL, appendix A), and of whole classes by their first two characters. Missing
/// classes are errors of the program or its configuration: 0A, 21 to 24, 26 to 39, 42, 54 and XX.
const SQLSTATES: &[(&str, Condition)] = &[
    // Connection exception; invalid authorization; invalid catalog name: the database cannot be reached.
    ("08", In(DatabaseTrouble::Unreachable)),
    ("28", In(DatabaseTrouble::Unreachable)),
    ("3D", In(DatabaseTrouble::Unreachable)),
    // read_only_sql_transaction.
    ("25006", In(DatabaseTrouble::ReadOnly)),
    // idle_in_transaction_session_timeout, transaction_timeout.
    ("25P03", In(DatabaseTrouble::Unreachable)),
    ("25P04", Busy),
    // Transaction rollback: serialization failure, deadlock.
    ("40", Busy),
    // Insufficient resources: disk_full, out_of_memory, too_many_connections, configuration_limit_exceeded.
    ("53100", In(DatabaseTrouble::Full)),
    ("53300", In(DatabaseTrouble::Unreachable)),
    ("53", Busy),
    // object_in_use, lock_not_available.
    ("55006", Busy),
    ("55P03", Busy),
    // Operator intervention: query_canceled is a timeout; shutdown, crash, start, recovery, idle_session_timeout.
    ("57014", Busy),
    ("57", In(DatabaseTrouble::Unreachable)),
    // System error: io_error, undefined_file.
    ("58", In(DatabaseTrouble::Failing)),
    // snapshot_too_old.
    ("72", Busy),
];

/// The meaning of SQLite's primary result codes. Missing codes do not change when the statement is repeated: ERROR,
/// CORRUPT, NOTADB and those about the statement.
const SQLITE_CODES: &[(u32, Condition)] = &[
    // PERM.
    (3, In(DatabaseTrouble::Failing)),
    // BUSY, LOCKED.
    (5, Busy),
    (6, Busy),
    // NOMEM.
    (7, Busy),
    // READONLY.
    (8, In(DatabaseTrouble::ReadOnly)),
    // INTERRUPT.
    (9, Busy),
    // IOERR.
    (10, In(DatabaseTrouble::Failing)),
    // FULL.
    (13, In(DatabaseTrouble::Full)),
    // CANTOPEN.
    (14, In(DatabaseTrouble::Failing)),
    // PROTOCOL: a race for the lock of the write-ahead log.
    (15, Busy),
];

/// `insufficient_privilege`, also for a row of another organization (row-level security).
const INSUFFICIENT_PRIVILEGE: &str = "42501";

const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) fn query(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Query(RuntimeErr::SqlxError(error.into())),
    }
}

pub(super) fn exec(error: sqlx::Error) -> DbErr {
    match query(error) {
        DbErr::Query(error) => DbErr::Exec(error),
        error => error,
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        let (DbErr::Exec(RuntimeErr::SqlxError(sqlx)) | DbErr::Query(RuntimeErr::SqlxError(sqlx))) = &error
        else {
            return match error {
                DbErr::ConnectionAcquire(_) => Self::Unavailable { retry_after: RETRY_AFTER },
                error => Self::Storage(error),
            };
        };
        if let sqlx::Error::Database(fault) = &**sqlx
            && let Some(refusal) = refusal(&**fault)
        {
            return refusal;
        }
        match condition(sqlx) {
            Some(Busy) => Self::Unavailable { retry_after: RETRY_AFTER },
            Some(In(trouble)) => {
                tracing::warn!(%error, "{}", trouble.reason());
                match trouble {
                    DatabaseTrouble::Unreachable => Self::DatabaseUnreachable,
                    DatabaseTrouble::ReadOnly | DatabaseTrouble::Full | DatabaseTrouble::Failing => {
                        ErrorCode::StorageUnavailable.refuse()
                    }
                }
            }
            None => Self::Storage(error),
        }
    }
}

/// The condition of the database; `None` if the error does not show one, or the program caused it.
pub(super) fn condition(error: &sqlx::Error) -> Option<Condition> {
    let fault = match error {
        sqlx::Error::Database(fault) => &**fault,
        sqlx::Error::PoolTimedOut => return Some(Busy),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => {
            return Some(In(DatabaseTrouble::Unreachable));
        }
        _ => return None,
    };
    if let Some(code) = sqlite_code(fault) {
        return SQLITE_CODES.iter().find(|(known, _)| *known == code).map(|(_, condition)| *condition);
    }
    let code = fault.code()?;
    let known = SQLSTATES.iter().find(|(known, _)| code.starts_with(known)).map(|(_, condition)| *condition);
    // An error that ends or prevents the connection is not about the statement.
    known.or_else(|| is_fatal(fault).then_some(In(DatabaseTrouble::Unreachable)))
}

/// Did PostgreSQL end the connection with this error?
pub(super) fn is_fatal(fault: &dyn DatabaseError) -> bool {
    let severity = fault.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
    matches!(severity, Some(PgSeverity::Fatal | PgSeverity::Panic))
}

/// SQLite's primary result code, the low byte of its extended ones; `None` for an error of PostgreSQL.
pub(super) fn sqlite_code(fault: &dyn DatabaseError) -> Option<u32> {
    fault.try_downcast_ref::<SqliteError>()?;
    fault.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

fn refusal(fault: &dyn DatabaseError) -> Option<Error> {
    match fault.kind() {
        ErrorKind::UniqueViolation => {
            let is_violated = |(name, columns, _): &&(&str, &str, ErrorCode)| {
                fault.constraint() == Some(*name) || fault.message().ends_with(&format!(": {columns}"))
            };
            let code = UNIQUE.iter().find(is_violated).map_or(ErrorCode::Conflict, |(_, _, code)| *code);
            Some(code.refuse())
        }
        // The referenced row was deleted at the same time.
        ErrorKind::ForeignKeyViolation => Some(ErrorCode::Conflict.refuse()),
        ErrorKind::CheckViolation => Some(Error::Invalid(ErrorCode::ValidationFailed, Vec::new())),
        _ => {
            if let Some(code) = fault.code().filter(|code| code == INSUFFICIENT_PRIVILEGE) {
                tracing::error!(alarm = "row_security", %code, "row-level security rejected a statement");
            }
            None
        }
    }
}
