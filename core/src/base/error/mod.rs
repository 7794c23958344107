//! The errors of operations. `api::problem` is the only place that maps their kinds to HTTP.

mod advice;
mod batch_result;
mod fields;

use std::time::Duration;

use sea_orm::DbErr;

pub(crate) use self::batch_result::BatchResult;
pub use self::fields::{FieldError, FieldErrors, MAX_FIELD_ERRORS};
use crate::base::{
    ids::{InvitationId, MemberId, TimeEntryId},
    permissions::{Permission, PermissionSet},
    text::InvalidText,
};

/// The kinds of errors; each is one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 400: the request cannot be read.
    Malformed,
    /// 401: the request has no valid credentials.
    Unauthenticated,
    /// 403: authenticated, but not allowed.
    Forbidden,
    /// 404: the object does not exist, or the caller may not see it; the two are deliberately not distinguished.
    NotFound,
    /// 405: the path does not support the method.
    MethodNotAllowed,
    /// 408: the client was too slow.
    RequestTimeout,
    /// 409: the object is in another state, or the name is taken.
    Conflict,
    /// 308: the object has another URL now.
    Moved,
    /// 410: the object existed, and was deleted.
    Gone,
    /// 412: the version in `If-Match` is outdated.
    PreconditionFailed,
    /// 428: the change needs `If-Match`.
    PreconditionRequired,
    /// 413: the body is larger than the limit.
    TooLarge,
    /// 415: the operation does not accept the media type of the body.
    WrongMediaType,
    /// 422: one or more fields are invalid.
    Invalid,
    /// 429: too many requests.
    TooManyRequests,
    /// 500: an error of the server.
    Internal,
    /// 503: temporarily unavailable.
    Unavailable,
}

macro_rules! codes { ($($name:ident = $text:literal, $kind:ident, $title:literal, $sentence:literal;)+) => {
    /// A stable code for one error: the member `error` of a problem.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ErrorCode { $(#[doc = $sentence] $name),+ }

    impl ErrorCode {
        /// Every code, in the order of the table.
        pub const ALL: &'static [Self] = &[$(Self::$name),+];

        /// The code in the API, in `UPPER_SNAKE`.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$name => $text),+ }
        }

        /// The kind of the error, which determines the HTTP status.
        pub const fn kind(self) -> ErrorKind {
            match self { $(Self::$name => ErrorKind::$kind),+ }
        }

        /// Short summary of the problem type.
        pub const fn title(self) -> &'static str {
            match self { $(Self::$name => $title),+ }
        }

        /// Explanation for people: what happened, and what to do.
        pub const fn sentence(self) -> &'static str {
            match self { $(Self::$name => $sentence),+ }
        }
    }
}}

codes! {
    BadRequest           = "BAD_REQUEST",            Malformed,       "Bad request",            "The request could not be read.";
    Unauthenticated      = "UNAUTHENTICATED",        Unauthenticated, "Not signed in",          "Sign in first.";
    InvalidToken         = "INVALID_TOKEN",          Unauthenticated, "Invalid token",          "The access token is not valid, or its session has ended. Sign in again.";
    InvalidCredentials   = "INVALID_CREDENTIALS",    Unauthenticated, "Invalid credentials",    "Invalid email or password. Please check your credentials and try again.";
    Forbidden            = "FORBIDDEN",              Forbidden,       "Permission missing",     "You do not have permission to do this.";
    EmailUnverified      = "EMAIL_UNVERIFIED",       Forbidden,       "E-mail address not verified", "Verify your e-mail address first. Open the link that was sent to it, or request a new one.";
    InactiveUser         = "INACTIVE_USER",          Forbidden,       "Account deactivated",    "This account is deactivated. Contact an administrator.";
    CsrfFailed           = "CSRF_FAILED",            Forbidden,       "CSRF check failed",      "This request does not come from a trusted page, or the page is outdated. Reload the page and try again.";
    ReauthRequired       = "REAUTH_REQUIRED",        Forbidden,       "Recent log-in required", "This needs a recent log-in. Confirm your password, then try again.";
    Escalation           = "ESCALATION",             Forbidden,       "Permission cannot be granted", "You can only grant permissions that you have yourself.";
    OwnerProtected       = "OWNER_PROTECTED",        Forbidden,       "Owner protected",        "Only an owner can add, change or remove owners.";
    OrganizationSuspended = "ORGANIZATION_SUSPENDED", Forbidden,      "Organization suspended", "This organization is suspended. It can be read, but not changed.";
    MembershipSuspended  = "MEMBERSHIP_SUSPENDED",   Forbidden,       "Membership suspended",   "Your membership of this organization is suspended.";
    TransferNotYours     = "TRANSFER_NOT_YOURS",     Forbidden,       "Not your transfer",      "Only the member who was offered this organization can accept the transfer. That member or an owner can cancel it.";
    NotFound             = "NOT_FOUND",              NotFound,        "Not found",              "Not found.";
    MethodNotAllowed     = "METHOD_NOT_ALLOWED",     MethodNotAllowed,     "Method not allowed",     "This path does not support this method.";
    RequestTimeout       = "REQUEST_TIMEOUT",        RequestTimeout,         "Request timeout",        "The request took too long to arrive or to process.";
    EmailTaken           = "EMAIL_TAKEN",            Conflict,        "E-mail address taken",   "An account with this e-mail address already exists.";
    UsernameTaken        = "USERNAME_TAKEN",         Conflict,        "Username taken",         "An account with this username already exists.";
    SlugTaken            = "SLUG_TAKEN",             Conflict,        "Slug taken",             "This slug is taken. Choose another one.";
    ProjectCodeTaken     = "PROJECT_CODE_TAKEN",     Conflict,        "Project code taken",     "Another project of this organization already has this code.";
    ProjectArchived      = "PROJECT_ARCHIVED",       Conflict,        "Project archived",       "This project is archived and does not accept new work. Unarchive it first, or choose another project.";
    TagNameTaken         = "TAG_NAME_TAKEN",         Conflict,        "Tag name taken",         "Another tag of this organization already has this name.";
    TagInUse             = "TAG_IN_USE",             Conflict,        "Tag in use",             "Tasks or time entries use this tag. Remove it from them first, or rename it.";
    ParentDeleted        = "PARENT_DELETED",         Conflict,        "Parent deleted",         "The project that this belongs to is deleted. Restore the project first.";
    TimerRunning         = "TIMER_RUNNING",          Conflict,        "Timer running",          "This member already has a running timer. Stop it first.";
    TimerNotRunning      = "TIMER_NOT_RUNNING",      Conflict,        "No timer running",       "You have no running timer.";
    TimeEntryOverlap     = "TIME_ENTRY_OVERLAP",     Conflict,        "Time entries overlap",   "This overlaps another time entry of the same member, and the organization does not allow overlapping entries.";
    PeriodLocked         = "PERIOD_LOCKED",          Conflict,        "Period locked",          "This time entry starts in a locked period and cannot be changed.";
    RoleNameTaken        = "ROLE_NAME_TAKEN",        Conflict,        "Role name taken",        "Another role of this organization already has this name.";
    RoleBuiltin          = "ROLE_BUILTIN",           Conflict,        "Built-in role",          "Built-in roles cannot be changed or deleted. Create a role of your own instead.";
    RoleInUse            = "ROLE_IN_USE",            Conflict,        "Role in use",            "Members have this role, or open invitations grant it. Choose another role for them first.";
    NotAMember           = "NOT_A_MEMBER",           Conflict,        "Not a member",           "This operation needs a membership, and you are not a member of this organization.";
    PersonalOrganization = "PERSONAL_ORGANIZATION",  Conflict,        "Personal organization",  "This is a personal organization. You cannot invite members to it, leave it or transfer it. It is deleted with its owner's account.";
    AlreadyMember        = "ALREADY_MEMBER",         Conflict,        "Already a member",       "This user is already a member of the organization.";
    InvitationPending    = "INVITATION_PENDING",     Conflict,        "Invitation pending",     "This e-mail address has already been invited and has not answered yet. Send that invitation again instead.";
    InvitationClosed     = "INVITATION_CLOSED",      Conflict,        "Invitation closed",      "This invitation was accepted, declined or withdrawn, or has expired. Send a new invitation.";
    InvitationEmailMismatch = "INVITATION_EMAIL_MISMATCH", Conflict,  "Invitation for another e-mail address", "This invitation is for another e-mail address than the one of your account. Log out, or log in with that address, and open the link again.";
    InvitationUnsupported = "INVITATION_UNSUPPORTED", Conflict,       "Invitation no longer valid", "The sender of this invitation can no longer grant these roles. Ask the organization for a new invitation.";
    LastOwner            = "LAST_OWNER",             Conflict,        "Last owner",             "An organization needs an active owner. Make another member an owner first.";
    TransferPending      = "TRANSFER_PENDING",       Conflict,        "Transfer pending",       "A transfer of this organization is already pending. Cancel it first.";
    TransferVoid         = "TRANSFER_VOID",          Conflict,        "Transfer no longer valid", "This transfer is no longer valid. Either the sender is no longer an active owner, or you are not an active member. Ask an owner for a new one.";
    OrganizationLimit    = "ORGANIZATION_LIMIT",     Conflict,        "Too many organizations", "You own the maximum number of organizations. Delete or transfer one first, or contact the operator of this installation.";
    LastSuperuser        = "LAST_SUPERUSER",         Conflict,        "Last superuser",         "The platform needs an active superuser. Make another account a superuser first.";
    JobFinished          = "JOB_FINISHED",           Conflict,        "Job finished",           "Only dead or cancelled jobs can be retried, and only pending jobs can be cancelled.";
    JobRunning           = "JOB_RUNNING",            Conflict,        "Job running",            "A worker is running this job. Try again when it has finished.";
    JobPending           = "JOB_PENDING",            Conflict,        "Job pending",            "This job is still pending. Cancel it before you delete it.";
    EmailNotKept         = "EMAIL_NOT_KEPT",         Conflict,        "E-mail no longer stored", "This e-mail cannot be sent again, because its job is no longer stored. The user can request a new one.";
    Conflict             = "CONFLICT",               Conflict,        "Conflict",               "Something that this refers to was changed at the same time. Try again.";
    PasswordRequired     = "PASSWORD_REQUIRED",      Conflict,        "Password required",      "A password was set when this account was registered. Enter it to keep it, or choose a new one.";
    IdempotencyInFlight  = "IDEMPOTENCY_IN_FLIGHT",  Conflict,        "Request in progress",    "A request with this Idempotency-Key is still being processed. Try again in a moment.";
    OrganizationMoved    = "ORGANIZATION_MOVED",     Moved,           "Organization renamed",   "This organization has a new address.";
    LinkExpired          = "LINK_EXPIRED",           Gone,            "Link expired",           "This link has been used or has expired. Request a new one.";
    InvitationExpired    = "INVITATION_EXPIRED",     Gone,            "Invitation expired",     "This invitation was answered, withdrawn or sent again, or has expired. Open the most recent e-mail, or ask the person who invited you for a new invitation.";
    TransferExpired      = "TRANSFER_EXPIRED",       Gone,            "Transfer expired",       "This transfer has expired. Ask an owner for a new one.";
    OrganizationDeleted  = "ORGANIZATION_DELETED",   Gone,            "Organization deleted",   "This organization was deleted.";
    PreconditionFailed   = "PRECONDITION_FAILED",    PreconditionFailed,           "Version outdated",       "Somebody changed this in the meantime. Reload it and try again.";
    PreconditionRequired = "PRECONDITION_REQUIRED",  PreconditionRequired,   "Precondition required",  "This change needs the version that it is based on. Reload it and try again.";
    PayloadTooLarge      = "PAYLOAD_TOO_LARGE",      TooLarge,        "Body too large",         "The body is larger than 1 MiB.";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", WrongMediaType,  "Unsupported media type", "The format of the body is not supported. Send JSON, or CSV for imports, in UTF-8 and not compressed.";
    ValidationFailed     = "VALIDATION_FAILED",      Invalid,         "Invalid fields",         "Please correct the marked fields.";
    PasswordMismatch     = "PASSWORD_MISMATCH",      Invalid,         "Wrong password",         "The current password is wrong.";
    WeakPassword         = "WEAK_PASSWORD",          Invalid,         "Weak password",          "This password is too easy to guess.";
    InvalidCursor        = "INVALID_CURSOR",         Invalid,         "Invalid cursor",         "This cursor belongs to another list, filter or sort order. Start again without it.";
    IdempotencyMismatch  = "IDEMPOTENCY_MISMATCH",   Invalid,         "Idempotency-Key reused", "This Idempotency-Key was already used with another request body. Use a new key.";
    RateLimited          = "RATE_LIMITED",           TooManyRequests,         "Too many requests",      "Too many requests. Try again later.";
    InternalError        = "INTERNAL_ERROR",         Internal,        "Internal error",         "Something went wrong on our side. Please report the request id.";
    Unavailable          = "UNAVAILABLE",            Unavailable,     "Service unavailable",    "The service is busy. Try again in a moment.";
    StorageUnavailable   = "STORAGE_UNAVAILABLE",    Unavailable,     "Storage unavailable",    "The service cannot store anything at the moment, so nothing was changed. You can still read data. Try again later.";
}

impl ErrorCode {
    /// The error with this code.
    pub const fn refuse(self) -> Error {
        Error::Refused(self)
    }

    /// The error with this code for one field, with the sentence of the code as its message.
    pub fn refuse_at(self, field: &str) -> Error {
        Error::Invalid(self, vec![self.at(field)])
    }

    /// This error of one field, with the sentence of the code as its message.
    pub(crate) fn at(self, field: &str) -> FieldError {
        FieldError { field: field.to_owned(), code: self.as_str(), message: self.sentence().to_owned() }
    }

    /// The error with this code for one field.
    pub fn refuse_field(self, field: &str, fault: InvalidText) -> Error {
        Error::Invalid(
            self,
            vec![FieldError { field: field.to_owned(), code: fault.code, message: fault.message }],
        )
    }
}

/// Why a permission check failed: the missing permission, the member's roles, and the roles that grant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPermission {
    /// The permission that is needed.
    pub permission: Permission,
    /// The keys of the member's roles.
    pub roles_held: Vec<String>,
    /// The keys of the roles of the organization that grant the permission.
    pub roles_that_grant: Vec<String>,
}

/// The errors of operations.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule was violated.
    #[error("{}", .0.sentence())]
    Refused(ErrorCode),
    /// Fields are invalid; the code is of [`ErrorKind::Invalid`] or [`ErrorKind::Malformed`].
    #[error("{}", .0.sentence())]
    Invalid(ErrorCode, Vec<FieldError>),
    /// A time entry overlaps another one of the member, which has this id.
    #[error("{}", ErrorCode::TimeEntryOverlap.sentence())]
    TimeEntryOverlap(TimeEntryId, Vec<FieldError>),
    /// The member lacks a permission.
    #[error("You need the permission “{}” to do this.", .0.permission)]
    Forbidden(Box<MissingPermission>),
    /// The caller would grant permissions that they lack.
    #[error("{}", ErrorCode::Escalation.sentence())]
    Escalation(PermissionSet),
    /// Members have the role that is to be deleted, or open invitations grant it.
    #[error("{}", ErrorCode::RoleInUse.sentence())]
    RoleInUse {
        /// The ids of the members.
        members: Vec<MemberId>,
        /// The ids of the open invitations.
        invitations: Vec<InvitationId>,
    },
    /// The invitation is for another e-mail address than the caller's; holds the masked address.
    #[error("{}", ErrorCode::InvitationEmailMismatch.sentence())]
    EmailMismatch(String),
    /// The organization now has this slug.
    #[error("{}", ErrorCode::OrganizationMoved.sentence())]
    Moved(String),
    /// Organizations, by their slugs, would have no active owner.
    #[error("{} Organizations: {}.", ErrorCode::LastOwner.sentence(), .0.join(", "))]
    LastOwner(Vec<String>),
    /// The caller's membership of the organization with this name is suspended.
    #[error("Your membership of {0} is suspended. Ask an administrator of the organization.")]
    MembershipSuspended(String),
    /// An object of this type (in lower case) does not exist, or the caller may not see it.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// Too many requests.
    #[error("Too many requests. Try again in {}.", seconds(.retry_after))]
    Limited {
        /// How long the client should wait.
        retry_after: Duration,
    },
    /// Temporarily unavailable.
    #[error("{}", ErrorCode::Unavailable.sentence())]
    Unavailable {
        /// How long the client should wait.
        retry_after: Duration,
    },
    /// The database does not respond, or accepts no connections. It is unknown whether a change that was being committed took
    /// place.
    #[error("{}", ErrorCode::Unavailable.sentence())]
    DatabaseUnreachable,
    /// The process accepts no requests at the moment, for this reason.
    #[error("Not ready: {0}.")]
    NotReady(&'static str),
    /// The database failed. The text is for the log; clients get the sentence of [`ErrorCode::InternalError`].
    #[error("storage failed: {0}")]
    Storage(#[source] DbErr),
    /// The settings do not match what is stored; the text says what to set.
    #[error("{0}")]
    Misconfigured(&'static str),
    /// An invariant of the program was violated.
    #[error("{0}")]
    Internal(&'static str),
}

/// A waiting time in words, rounded up to whole seconds as in `Retry-After`.
fn seconds(wait: &Duration) -> String {
    match wait.as_secs() + u64::from(wait.subsec_nanos() > 0) {
        1 => "1 second".to_owned(),
        more => format!("{more} seconds"),
    }
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable code of the error.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(code) | Self::Invalid(code, _) => *code,
            Self::TimeEntryOverlap(..) => ErrorCode::TimeEntryOverlap,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::Escalation(_) => ErrorCode::Escalation,
            Self::RoleInUse { .. } => ErrorCode::RoleInUse,
            Self::EmailMismatch(_) => ErrorCode::InvitationEmailMismatch,
            Self::MembershipSuspended(_) => ErrorCode::MembershipSuspended,
            Self::Moved(_) => ErrorCode::OrganizationMoved,
            Self::LastOwner(_) => ErrorCode::LastOwner,
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::Limited { .. } => ErrorCode::RateLimited,
            Self::Unavailable { .. } | Self::DatabaseUnreachable | Self::NotReady(_) => {
                ErrorCode::Unavailable
            }
            Self::Storage(_) | Self::Misconfigured(_) | Self::Internal(_) => ErrorCode::InternalError,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_rate_limit_message_states_the_waiting_time() {
        for (milliseconds, wait) in [(1000, "1 second."), (1001, "2 seconds."), (60_000, "60 seconds.")] {
            let limited = Error::Limited { retry_after: Duration::from_millis(milliseconds) };
            assert_eq!(limited.to_string(), format!("Too many requests. Try again in {wait}"));
        }
    }

    #[test]
    fn codes_are_unique_and_upper_snake_case() {
        let texts: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert!(texts.iter().all(|text| text.chars().all(|c| c.is_ascii_uppercase() || c == '_')));
        for code in ErrorCode::ALL {
            let sentence = code.sentence();
            assert!(sentence.ends_with('.'), "{sentence}");
            assert!(!sentence.contains(['`', '/']), "developers read the advice, users read: {sentence}");
        }
    }
}
