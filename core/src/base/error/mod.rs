//! Everything an operation can refuse or fail with. `api::problem` maps the kinds to HTTP, once.

mod advice;
mod fields;

use std::time::Duration;

use sea_orm::DbErr;

pub use self::fields::{FieldError, FieldErrors, MOST_FAULTS};
use crate::base::{
    ids::{InvitationId, MemberId},
    permissions::{Permission, PermissionSet},
    text::InvalidText,
};

/// The kinds of refusal; each is one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request cannot be read.
    Malformed,
    /// Nobody is signed in, or not validly.
    Unauthenticated,
    /// Signed in, and not allowed.
    Forbidden,
    /// No such thing, or not yours: the same, on purpose.
    NotFound,
    /// The path has no such method.
    WrongMethod,
    /// The client was too slow.
    TooSlow,
    /// The thing is in another state, or the name is taken.
    Conflict,
    /// It has another address now.
    Moved,
    /// It was there, and is deleted.
    Gone,
    /// The client's copy is stale.
    Stale,
    /// Whoever changes it must say which copy he has.
    Unconditional,
    /// The body is over the limit.
    TooLarge,
    /// The body is of another type.
    WrongMediaType,
    /// One or more fields are wrong.
    Invalid,
    /// Too often.
    Limited,
    /// Our fault.
    Internal,
    /// Not now; again later.
    Unavailable,
}

macro_rules! codes { ($($name:ident = $text:literal, $kind:ident, $title:literal, $sentence:literal;)+) => {
    /// A stable name for one refusal: the member `error` of a problem.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ErrorCode { $(#[doc = $sentence] $name),+ }

    impl ErrorCode {
        /// Every code, in the order of the table.
        pub const ALL: &'static [Self] = &[$(Self::$name),+];

        /// As the API spells it: `UPPER_SNAKE`.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$name => $text),+ }
        }

        /// Which kind of refusal it is.
        pub const fn kind(self) -> ErrorKind {
            match self { $(Self::$name => ErrorKind::$kind),+ }
        }

        /// A few words that never change.
        pub const fn title(self) -> &'static str {
            match self { $(Self::$name => $title),+ }
        }

        /// What happened and what to do, for people.
        pub const fn sentence(self) -> &'static str {
            match self { $(Self::$name => $sentence),+ }
        }
    }
}}

codes! {
    BadRequest           = "BAD_REQUEST",            Malformed,       "Bad request",            "The request could not be read.";
    Unauthenticated      = "UNAUTHENTICATED",        Unauthenticated, "Not signed in",          "Sign in, and send the access token as `Authorization: Bearer …`.";
    InvalidToken         = "INVALID_TOKEN",          Unauthenticated, "Invalid token",          "The access token is not valid, or its session has ended. Sign in again.";
    InvalidCredentials   = "INVALID_CREDENTIALS",    Unauthenticated, "Invalid credentials",    "Invalid email or password. Please check your credentials and try again.";
    Forbidden            = "FORBIDDEN",              Forbidden,       "Permission missing",     "You do not have the permission this needs.";
    EmailUnverified      = "EMAIL_UNVERIFIED",       Forbidden,       "E-mail address not verified", "Verify your e-mail address first: open the link that was mailed to it, or ask for a new one at `POST /auth/email/resend`.";
    InactiveUser         = "INACTIVE_USER",          Forbidden,       "Account inactive",       "This account is deactivated. Ask an administrator.";
    CsrfFailed           = "CSRF_FAILED",            Forbidden,       "Forged request",         "The request does not come from a page of ours, or `X-CSRF-Token` is missing or wrong. Get one at `GET /auth/csrf`.";
    ReauthRequired       = "REAUTH_REQUIRED",        Forbidden,       "Recent log-in required", "This needs a recent log-in. Confirm your password at `POST /auth/reauthenticate`, then try again.";
    Escalation           = "ESCALATION",             Forbidden,       "Permission not yours to give", "You can only give permissions that you hold yourself; `missing` lists those you lack.";
    OwnerProtected       = "OWNER_PROTECTED",        Forbidden,       "Owner protected",        "Only an owner can make, change or remove owners.";
    OrganizationSuspended = "ORGANIZATION_SUSPENDED", Forbidden,      "Organization suspended", "This organization is suspended: it can be read, not changed.";
    TransferNotYours     = "TRANSFER_NOT_YOURS",     Forbidden,       "Transfer not yours",     "Only the member to whom the organization is offered can take it; only he or an owner ends the offer.";
    NotFound             = "NOT_FOUND",              NotFound,        "Not found",              "There is nothing here.";
    MethodNotAllowed     = "METHOD_NOT_ALLOWED",     WrongMethod,     "Method not allowed",     "This path does not have this method; `Allow` lists those it has.";
    RequestTimeout       = "REQUEST_TIMEOUT",        TooSlow,         "Too slow",               "The request took too long to arrive or to answer.";
    EmailTaken           = "EMAIL_TAKEN",            Conflict,        "E-mail address taken",   "An account with this e-mail address exists already.";
    UsernameTaken        = "USERNAME_TAKEN",         Conflict,        "Username taken",         "An account with this username exists already.";
    SlugTaken            = "SLUG_TAKEN",             Conflict,        "Slug taken",             "An organization with this slug exists, or existed, already.";
    ProjectCodeTaken     = "PROJECT_CODE_TAKEN",     Conflict,        "Project code taken",     "Another project of this organization has this code.";
    ProjectArchived      = "PROJECT_ARCHIVED",       Conflict,        "Project archived",       "This project is archived: it takes no new work. Take it out of the archive first, or name another.";
    TagNameTaken         = "TAG_NAME_TAKEN",         Conflict,        "Tag name taken",         "Another tag of this organization has this name.";
    TagInUse             = "TAG_IN_USE",             Conflict,        "Tag in use",             "Tasks or time entries have this tag. Take it off them first, or rename it.";
    ParentDeleted        = "PARENT_DELETED",         Conflict,        "Parent deleted",         "What this belongs to is deleted. Restore that first.";
    TimerRunning         = "TIMER_RUNNING",          Conflict,        "Timer running",          "A timer of this member is running already. Stop it first.";
    TimerNotRunning      = "TIMER_NOT_RUNNING",      Conflict,        "No timer running",       "No timer of yours is running. Start one at `POST …/timer/start`.";
    TimeEntryOverlap     = "TIME_ENTRY_OVERLAP",     Conflict,        "Time entries overlap",   "This member has worked on something else at that time, and the organization wants no time counted twice.";
    PeriodLocked         = "PERIOD_LOCKED",          Conflict,        "Period locked",          "This began in a period that is locked: what stands there can be changed no more.";
    RoleNameTaken        = "ROLE_NAME_TAKEN",        Conflict,        "Role name taken",        "Another role of this organization has this name.";
    RoleBuiltin          = "ROLE_BUILTIN",           Conflict,        "Built-in role",          "Built-in roles cannot be changed or deleted. Add a role of your own.";
    RoleInUse            = "ROLE_IN_USE",            Conflict,        "Role in use",            "Members hold this role, or open invitations give it: `members` and `invitations` list them. Name another role in `reassign_to`.";
    NotAMember           = "NOT_A_MEMBER",           Conflict,        "Not a member",           "This is about the caller's own membership, and you are not a member of this organization.";
    PersonalOrganization = "PERSONAL_ORGANIZATION",  Conflict,        "Personal organization",  "This organization is one person's own: nobody can be invited into it, and it can be neither left nor handed over, and goes with his account.";
    AlreadyMember        = "ALREADY_MEMBER",         Conflict,        "Already a member",       "Whoever this invitation is for is a member of this organization already.";
    InvitationPending    = "INVITATION_PENDING",     Conflict,        "Invitation pending",     "This address has been invited already, and has not answered. Send that invitation again instead.";
    InvitationClosed     = "INVITATION_CLOSED",      Conflict,        "Invitation closed",      "This invitation was accepted, declined or withdrawn, or has expired. Invite again.";
    InvitationEmailMismatch = "INVITATION_EMAIL_MISMATCH", Conflict,  "Invitation for another address", "This invitation is for another address than that of your account; `email_masked` hints at it. Log out, or log in with that address, and open the link again.";
    InvitationUnsupported = "INVITATION_UNSUPPORTED", Conflict,       "Invitation unsupported", "Whoever sent this invitation may no longer give these roles. Ask the organization for a new one.";
    LastOwner            = "LAST_OWNER",             Conflict,        "Last owner",             "An organization needs an active owner. Make somebody else an owner first.";
    TransferPending      = "TRANSFER_PENDING",       Conflict,        "Transfer pending",       "This organization is being handed over already. Cancel that first.";
    TransferVoid         = "TRANSFER_VOID",          Conflict,        "Transfer void",          "Whoever offered the organization is no active owner any more, or you are no active member. Ask an owner to offer it again.";
    OrganizationLimit    = "ORGANIZATION_LIMIT",     Conflict,        "Too many organizations", "You own as many organizations as one person may found. Delete one or hand it over first, or ask an operator.";
    LastSuperuser        = "LAST_SUPERUSER",         Conflict,        "Last operator",          "The platform needs an active operator. Make somebody else an operator first.";
    JobFinished          = "JOB_FINISHED",           Conflict,        "Job finished",           "Only a job that was given up or cancelled can be retried, and only one that is still to be done cancelled.";
    JobRunning           = "JOB_RUNNING",            Conflict,        "Job running",            "A worker is doing this job right now. Try again when it has finished.";
    JobPending           = "JOB_PENDING",            Conflict,        "Job pending",            "This job is still to be done. Cancel it before you delete it.";
    EmailNotKept         = "EMAIL_NOT_KEPT",         Conflict,        "E-mail not kept",        "The job that sent this mail is kept no longer, and mails themselves never are. Let whoever needs it ask for it again.";
    Conflict             = "CONFLICT",               Conflict,        "Conflict",               "Something this refers to changed at the same time. Try again.";
    PasswordRequired     = "PASSWORD_REQUIRED",      Conflict,        "Password required",      "Somebody set a password when this account was registered. Send it as `password` to keep it, or set another with `new_password`.";
    IdempotencyInFlight  = "IDEMPOTENCY_IN_FLIGHT",  Conflict,        "Request in flight",      "A request with this Idempotency-Key is still being worked on. Try again.";
    OrganizationMoved    = "ORGANIZATION_MOVED",     Moved,           "Organization renamed",   "This organization has another slug now; `Location` says which.";
    LinkExpired          = "LINK_EXPIRED",           Gone,            "Link expired",           "This link was used or has expired. Ask for a new one.";
    InvitationExpired    = "INVITATION_EXPIRED",     Gone,            "Invitation expired",     "This invitation was answered, withdrawn or sent again, or has expired. Open the newest mail, or ask whoever invited you for a new one.";
    TransferExpired      = "TRANSFER_EXPIRED",       Gone,            "Transfer expired",       "This offer has expired. Ask an owner to offer the organization again.";
    OrganizationDeleted  = "ORGANIZATION_DELETED",   Gone,            "Organization deleted",   "This organization was deleted.";
    PreconditionFailed   = "PRECONDITION_FAILED",    Stale,           "Stale copy",             "It was changed since you read it. Read it again, then repeat your change.";
    PreconditionRequired = "PRECONDITION_REQUIRED",  Unconditional,   "Condition required",     "Say which copy you are changing: send its `ETag` as `If-Match`.";
    PayloadTooLarge      = "PAYLOAD_TOO_LARGE",      TooLarge,        "Body too large",         "The body is larger than 1 MiB.";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", WrongMediaType,  "Unsupported media type", "Send the body as `Content-Type: application/json` (files of an import: `text/csv`), in UTF-8, not compressed.";
    ValidationFailed     = "VALIDATION_FAILED",      Invalid,         "Invalid fields",         "One or more fields are not valid; `errors` names each.";
    PasswordMismatch     = "PASSWORD_MISMATCH",      Invalid,         "Wrong password",         "The current password is not right.";
    WeakPassword         = "WEAK_PASSWORD",          Invalid,         "Weak password",          "This password is too easy to guess; `errors` says why.";
    InvalidCursor        = "INVALID_CURSOR",         Invalid,         "Invalid cursor",         "The cursor is not one of this list with these filters and this sort. Start without it.";
    IdempotencyMismatch  = "IDEMPOTENCY_MISMATCH",   Invalid,         "Idempotency-Key reused", "This Idempotency-Key was used with another body. Use a new one.";
    RateLimited          = "RATE_LIMITED",           Limited,         "Too many requests",      "This was asked for too often. Try again later; `Retry-After` says when.";
    InternalError        = "INTERNAL_ERROR",         Internal,        "Internal error",         "Something went wrong on our side. Tell us the request id.";
    Unavailable          = "UNAVAILABLE",            Unavailable,     "Busy",                   "The service is busy. Try again in a moment.";
    StorageUnavailable   = "STORAGE_UNAVAILABLE",    Unavailable,     "Cannot store",           "The service cannot store anything at the moment, so nothing was changed. What is stored can still be read. Try again later.";
}

impl ErrorCode {
    /// The refusal of this code, as a result's error.
    pub const fn refuse(self) -> Error {
        Error::Refused(self)
    }

    /// The refusal of this code because of one field, of which it says all there is to say.
    pub fn refuse_at(self, field: &str) -> Error {
        self.refuse_field(field, InvalidText { code: self.as_str(), message: self.sentence().to_owned() })
    }

    /// The refusal of this code because of one field.
    pub fn refuse_field(self, field: &str, fault: InvalidText) -> Error {
        Error::Invalid(
            self,
            vec![FieldError { field: field.to_owned(), code: fault.code, message: fault.message }],
        )
    }
}

/// Why a member was refused: what was missing, what he has, what would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPermission {
    /// The permission asked for.
    pub permission: Permission,
    /// The keys of the roles the member holds.
    pub roles_held: Vec<String>,
    /// The keys of the roles of the organization that hold the permission.
    pub roles_that_grant: Vec<String>,
}

/// Everything an operation can refuse or fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule said no.
    #[error("{}", .0.sentence())]
    Refused(ErrorCode),
    /// Fields are wrong; the code is of [`ErrorKind::Invalid`] or [`ErrorKind::Malformed`].
    #[error("{}", .0.sentence())]
    Invalid(ErrorCode, Vec<FieldError>),
    /// The member lacks a permission.
    #[error("This needs the permission `{}`.", .0.permission)]
    Forbidden(Box<MissingPermission>),
    /// The caller would give permissions that he lacks.
    #[error("{}", ErrorCode::Escalation.sentence())]
    Escalation(PermissionSet),
    /// Members, by their ids, hold the role that is to go.
    #[error("{}", ErrorCode::RoleInUse.sentence())]
    RoleInUse {
        /// Who hold it.
        members: Vec<MemberId>,
        /// The open invitations that give it.
        invitations: Vec<InvitationId>,
    },
    /// The invitation is for another address than the caller's; this is as much of it as he may see.
    #[error("{}", ErrorCode::InvitationEmailMismatch.sentence())]
    EmailMismatch(String),
    /// The organization has this slug now.
    #[error("{}", ErrorCode::OrganizationMoved.sentence())]
    Moved(String),
    /// Organizations, by their slugs, would be left without an active owner.
    #[error("{} It concerns: {}.", ErrorCode::LastOwner.sentence(), .0.join(", "))]
    LastOwner(Vec<String>),
    /// No such thing (named in lower case) where the caller may look.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// Too often.
    #[error("{}", ErrorCode::RateLimited.sentence())]
    Limited {
        /// What to tell the client to wait.
        retry_after: Duration,
    },
    /// Not now; again after `retry_after`.
    #[error("{}", ErrorCode::Unavailable.sentence())]
    Unavailable {
        /// What to tell the client to wait.
        retry_after: Duration,
    },
    /// The database does not answer, or takes no connections. Whether a change that was being committed took place is unknown.
    #[error("{}", ErrorCode::Unavailable.sentence())]
    Away,
    /// The process wants no work now, for this reason.
    #[error("Not ready: {0}.")]
    NotReady(&'static str),
    /// The database failed in a way that is nobody's refusal. Its text says why, for the log; clients are told
    /// [`ErrorCode::InternalError`]'s sentence.
    #[error("storage failed: {0}")]
    Storage(#[source] DbErr),
    /// The settings do not fit what is stored; says what to set.
    #[error("{0}")]
    Misconfigured(&'static str),
    /// A promise the program makes to itself was broken.
    #[error("{0}")]
    Broken(&'static str),
}

/// What operations return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable name of the refusal.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(code) | Self::Invalid(code, _) => *code,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::Escalation(_) => ErrorCode::Escalation,
            Self::RoleInUse { .. } => ErrorCode::RoleInUse,
            Self::EmailMismatch(_) => ErrorCode::InvitationEmailMismatch,
            Self::Moved(_) => ErrorCode::OrganizationMoved,
            Self::LastOwner(_) => ErrorCode::LastOwner,
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::Limited { .. } => ErrorCode::RateLimited,
            Self::Unavailable { .. } | Self::Away | Self::NotReady(_) => ErrorCode::Unavailable,
            Self::Storage(_) | Self::Misconfigured(_) | Self::Broken(_) => ErrorCode::InternalError,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_spelled_alike() {
        let texts: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert!(texts.iter().all(|text| text.chars().all(|c| c.is_ascii_uppercase() || c == '_')));
        assert!(ErrorCode::ALL.iter().all(|code| code.sentence().ends_with('.')));
    }
}
