//! What a failure of either database means: one table from constraints to codes.

use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use sqlx::error::{DatabaseError, ErrorKind};

use crate::error::{Code, Error};

/// Unique constraints that people can run into. PostgreSQL names the index, SQLite the columns.
const UNIQUE: &[(&str, &str, Code)] = &[
    ("users_email_key", "users.email_canonical", Code::EmailTaken),
    ("users_username_key", "users.username_canonical", Code::UsernameTaken),
    ("organizations_slug_key", "organizations.slug", Code::SlugTaken),
    ("owner_transfers_organization_pending_key", "owner_transfers.organization_id", Code::TransferPending),
    ("roles_organization_name_key", "roles.organization_id, roles.name_key", Code::RoleNameTaken),
    (
        "invitations_pending_email_key",
        "invitations.organization_id, invitations.email_canonical",
        Code::InvitationPending,
    ),
    ("projects_organization_code_key", "projects.organization_id, projects.code_key", Code::ProjectCodeTaken),
    ("tags_organization_name_key", "tags.organization_id, tags.name_key", Code::TagNameTaken),
    ("time_entries_running_key", "time_entries.organization_id, time_entries.member_id", Code::TimerRunning),
];

/// SQLSTATEs that say "not now": serialization failure, deadlock, lock and statement time-outs, too many connections,
/// shutting down, starting up.
const TRANSIENT: &[&str] = &["40001", "40P01", "55P03", "57014", "53300", "57P01", "57P02", "57P03"];

/// `insufficient_privilege`: also what row-level security answers to a foreign row.
const REFUSED_BY_WALL: &str = "42501";

/// SQLite's `SQLITE_BUSY` and `SQLITE_LOCKED`, in the low byte of its extended codes.
const SQLITE_BUSY: [u32; 2] = [5, 6];

const SOON: Duration = Duration::from_secs(1);

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
                DbErr::ConnectionAcquire(_) => Self::Unavailable { retry_after: SOON },
                error => Self::Storage(error),
            };
        };
        match &**sqlx {
            sqlx::Error::Database(fault) => classify(&**fault).unwrap_or(Self::Storage(error)),
            // The connection broke, or cannot be made: the database is away.
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
                tracing::warn!(%error, "the database is away");
                Self::Unavailable { retry_after: SOON }
            }
            _ => Self::Storage(error),
        }
    }
}

fn classify(fault: &dyn DatabaseError) -> Option<Error> {
    match fault.kind() {
        ErrorKind::UniqueViolation => {
            let of = |(name, columns, _): &&(&str, &str, Code)| {
                fault.constraint() == Some(*name) || fault.message().ends_with(&format!(": {columns}"))
            };
            let code = UNIQUE.iter().find(of).map_or(Code::Conflict, |(_, _, code)| *code);
            Some(code.refuse())
        }
        // Somebody deleted, at the same time, what this refers to.
        ErrorKind::ForeignKeyViolation => Some(Code::Conflict.refuse()),
        ErrorKind::CheckViolation => Some(Error::Invalid(Code::ValidationFailed, Vec::new())),
        _ => {
            let code = fault.code()?;
            let sqlite =
                code.parse::<u32>().is_ok_and(|code| code < 10_000 && SQLITE_BUSY.contains(&(code & 0xff)));
            if TRANSIENT.contains(&&*code) || sqlite {
                return Some(Error::Unavailable { retry_after: SOON });
            }
            if code == REFUSED_BY_WALL {
                tracing::error!(alarm = "row_security", %code, "the database's wall refused what the first wall let through");
            }
            None
        }
    }
}
