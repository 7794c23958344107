//! Everything an operation can refuse or fail with. `api::problem` maps the kinds to HTTP, once.

use std::time::Duration;

use sea_orm::DbErr;
use serde::Serialize;

use crate::{access::Permission, text::Fault};

/// The kinds of refusal; each is one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
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
    /// It was there, and is deleted.
    Gone,
    /// The client's copy is stale.
    Stale,
    /// The body is over the limit.
    TooLarge,
    /// The body is of another type.
    WrongMediaType,
    /// One or more fields are wrong.
    Invalid,
    /// Our fault.
    Internal,
    /// Not now; again later.
    Unavailable,
}

macro_rules! codes { ($($name:ident = $text:literal, $kind:ident, $title:literal, $sentence:literal;)+) => {
    /// A stable name for one refusal: the member `error` of a problem.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Code { $(#[doc = $sentence] $name),+ }

    impl Code {
        /// Every code, in the order of the table.
        pub const ALL: &'static [Self] = &[$(Self::$name),+];

        /// As the API spells it: `UPPER_SNAKE`.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$name => $text),+ }
        }

        /// Which kind of refusal it is.
        pub const fn kind(self) -> Kind {
            match self { $(Self::$name => Kind::$kind),+ }
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
    InactiveUser         = "INACTIVE_USER",          Forbidden,       "Account inactive",       "This account is deactivated. Ask an administrator.";
    ReauthRequired       = "REAUTH_REQUIRED",        Forbidden,       "Recent log-in required", "This needs a recent log-in. Confirm your password at `POST /auth/reauthenticate`, then try again.";
    OrganizationSuspended = "ORGANIZATION_SUSPENDED", Forbidden,      "Organization suspended", "This organization is suspended: it can be read, not changed.";
    NotFound             = "NOT_FOUND",              NotFound,        "Not found",              "There is nothing here.";
    MethodNotAllowed     = "METHOD_NOT_ALLOWED",     WrongMethod,     "Method not allowed",     "This path does not have this method; `Allow` lists those it has.";
    RequestTimeout       = "REQUEST_TIMEOUT",        TooSlow,         "Too slow",               "The request took too long to arrive or to answer.";
    EmailTaken           = "EMAIL_TAKEN",            Conflict,        "E-mail address taken",   "An account with this e-mail address exists already.";
    UsernameTaken        = "USERNAME_TAKEN",         Conflict,        "Username taken",         "An account with this username exists already.";
    SlugTaken            = "SLUG_TAKEN",             Conflict,        "Slug taken",             "An organization with this slug exists, or existed, already.";
    ProjectCodeTaken     = "PROJECT_CODE_TAKEN",     Conflict,        "Project code taken",     "Another project of this organization has this code.";
    LastOwner            = "LAST_OWNER",             Conflict,        "Last owner",             "An organization needs an active owner. Make somebody else an owner first.";
    LastSuperuser        = "LAST_SUPERUSER",         Conflict,        "Last operator",          "The platform needs an active operator. Make somebody else an operator first.";
    Conflict             = "CONFLICT",               Conflict,        "Conflict",               "Something this refers to changed at the same time. Try again.";
    IdempotencyInFlight  = "IDEMPOTENCY_IN_FLIGHT",  Conflict,        "Request in flight",      "A request with this Idempotency-Key is still being worked on. Try again.";
    OrganizationDeleted  = "ORGANIZATION_DELETED",   Gone,            "Organization deleted",   "This organization was deleted.";
    PreconditionFailed   = "PRECONDITION_FAILED",    Stale,           "Stale copy",             "It was changed since you read it. Read it again, then repeat your change.";
    PayloadTooLarge      = "PAYLOAD_TOO_LARGE",      TooLarge,        "Body too large",         "The body is larger than 1 MiB.";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", WrongMediaType,  "Unsupported media type", "Send the body as `Content-Type: application/json`, in UTF-8, not compressed.";
    ValidationFailed     = "VALIDATION_FAILED",      Invalid,         "Invalid fields",         "One or more fields are not valid; `errors` names each.";
    PasswordMismatch     = "PASSWORD_MISMATCH",      Invalid,         "Wrong password",         "The current password is not right.";
    WeakPassword         = "WEAK_PASSWORD",          Invalid,         "Weak password",          "This password is too easy to guess; `errors` says why.";
    InvalidCursor        = "INVALID_CURSOR",         Invalid,         "Invalid cursor",         "The cursor is not one of this list with these filters and this sort. Start without it.";
    IdempotencyMismatch  = "IDEMPOTENCY_MISMATCH",   Invalid,         "Idempotency-Key reused", "This Idempotency-Key was used with another body. Use a new one.";
    InternalError        = "INTERNAL_ERROR",         Internal,        "Internal error",         "Something went wrong on our side. Tell us the request id.";
    Unavailable          = "UNAVAILABLE",            Unavailable,     "Busy",                   "The service is busy. Try again in a moment.";
}

impl Code {
    /// The refusal of this code, as a result's error.
    pub const fn refuse(self) -> Error {
        Error::Refused(self)
    }

    /// The refusal of this code because of one field.
    pub fn refuse_field(self, field: &str, fault: Fault) -> Error {
        Error::Invalid(
            self,
            vec![FieldError { field: field.to_owned(), code: fault.code, message: fault.message }],
        )
    }
}

/// One wrong field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Its path, such as `members[0].role`; a query parameter or header by its name.
    pub field: String,
    /// Stable, `UPPER_SNAKE`, for programs.
    pub code: &'static str,
    /// One sentence, for people.
    pub message: String,
}

/// Why a member was refused: what was missing, what he has, what would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
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
    Refused(Code),
    /// Fields are wrong; the code is of [`Kind::Invalid`] or [`Kind::Malformed`].
    #[error("{}", .0.sentence())]
    Invalid(Code, Vec<FieldError>),
    /// The member lacks a permission.
    #[error("This needs the permission `{}`.", .0.permission)]
    Forbidden(Box<Missing>),
    /// Organizations, by their slugs, would be left without an active owner.
    #[error("{} It concerns: {}.", Code::LastOwner.sentence(), .0.join(", "))]
    LastOwner(Vec<String>),
    /// No such thing (named in lower case) where the caller may look.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// Not now; again after `retry_after`.
    #[error("{}", Code::Unavailable.sentence())]
    Unavailable {
        /// What to tell the client to wait.
        retry_after: Duration,
    },
    /// The database failed in a way that is nobody's refusal.
    #[error("storage failed")]
    Storage(#[source] DbErr),
    /// A promise the program makes to itself was broken.
    #[error("{0}")]
    Broken(&'static str),
}

/// What operations return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable name of the refusal.
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused(code) | Self::Invalid(code, _) => *code,
            Self::Forbidden(_) => Code::Forbidden,
            Self::LastOwner(_) => Code::LastOwner,
            Self::NotFound(_) => Code::NotFound,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::Storage(_) | Self::Broken(_) => Code::InternalError,
        }
    }
}

/// Collects what is wrong with the fields of one request, so that all are reported at once.
#[derive(Debug, Default)]
pub struct Fields {
    faults: Vec<FieldError>,
    /// What they have in common.
    code: Option<Code>,
}

impl Fields {
    /// The value, or a note of the fault under the field's name.
    pub fn take<T>(&mut self, field: &str, value: Result<T, Fault>) -> Option<T> {
        value.map_err(|fault| self.refuse(field, fault.code, fault.message)).ok()
    }

    /// Like [`Fields::take`], for a field that may be absent.
    pub fn take_optional<T>(&mut self, field: &str, value: Option<Result<T, Fault>>) -> Option<T> {
        value.and_then(|value| self.take(field, value))
    }

    /// Notes that a field is wrong.
    pub fn refuse(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        let fault = FieldError { field: field.to_owned(), code, message: message.into() };
        self.join(Code::ValidationFailed, [fault]);
    }

    /// Takes in what another rule said of the fields.
    ///
    /// # Errors
    /// Its refusal, when it is not about fields.
    pub fn include(&mut self, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(Error::Invalid(code, faults)) => self.join(code, faults),
            other => return other,
        }
        Ok(())
    }

    fn join(&mut self, code: Code, faults: impl IntoIterator<Item = FieldError>) {
        self.code = Some(self.code.filter(|common| *common != code).map_or(code, |_| Code::ValidationFailed));
        self.faults.extend(faults);
    }

    /// # Errors
    /// Every fault noted, if there is any: under their code, if it is one, else under `VALIDATION_FAILED`.
    pub fn finish(self) -> Result<()> {
        match self.code {
            None => Ok(()),
            Some(code) => Err(Error::Invalid(code, self.faults)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_spelled_alike() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(texts.iter().all(|text| text.chars().all(|c| c.is_ascii_uppercase() || c == '_')));
        assert!(Code::ALL.iter().all(|code| code.sentence().ends_with('.')));
    }

    #[test]
    fn faults_of_one_code_keep_it() {
        let weak = || {
            Err(Code::WeakPassword
                .refuse_field("password", Fault { code: "TOO_COMMON", message: String::new() }))
        };
        let (mut fields, mut mixed) = (Fields::default(), Fields::default());
        fields.include(Ok(())).unwrap();
        fields.include(weak()).unwrap();
        assert_eq!(fields.finish().unwrap_err().code(), Code::WeakPassword);
        mixed.include(weak()).unwrap();
        mixed.refuse("email", "REQUIRED", "");
        let Err(Error::Invalid(code, faults)) = mixed.finish() else { panic!("nothing was wrong") };
        assert_eq!((code, faults.len()), (Code::ValidationFailed, 2));
        assert!(Fields::default().include(Err(Code::NotFound.refuse())).is_err());
        assert!(Fields::default().finish().is_ok());
    }
}
