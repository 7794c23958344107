//! What became of several invitations: each has the outcome it would have got by itself.

use insula_core::{Error, access, error::FieldError};
use poem_openapi::Object;
use serde::Serialize;

use super::{GivenEmail, Invitation};
use crate::{
    problem,
    wire::{Permission, Sentence},
};

crate::texts! {
    /// The stable name of a refusal.
    RefusalCode { length: 1..=50, example: "ALREADY_MEMBER" }
    /// The path of a field.
    FieldPath { length: 0..=1000, example: "roles[0]" }
}

/// What became of several invitations.
#[derive(Object, Serialize)]
pub(super) struct InvitationOutcomes {
    /// In the order given.
    pub(super) data: Vec<InvitationOutcome>,
}

/// What became of one of several invitations.
#[derive(Object, Serialize)]
pub(super) struct InvitationOutcome {
    /// The address, as it was given.
    email: GivenEmail,
    /// The status it would have got by itself.
    status: u16,
    /// The invitation; `null` where it was refused.
    #[oai(nullable)]
    pub(super) invitation: Option<Invitation>,
    /// Why it was refused; `null` where it was not.
    #[oai(nullable)]
    error: Option<Refusal>,
}

/// Why one of several things was refused.
#[derive(Object, Serialize)]
struct Refusal {
    /// Names the kind of problem; stable, for programs.
    error: RefusalCode,
    /// What happened and what to do, for people.
    message: Sentence,
    /// Every wrong field, from here.
    errors: Vec<WrongField>,
    /// The permissions that the caller lacks himself.
    missing: Vec<Permission>,
}

/// A wrong field.
#[derive(Object, Serialize)]
struct WrongField {
    /// Its path.
    field: FieldPath,
    /// What is wrong; stable, for programs.
    code: RefusalCode,
    /// One sentence, for people.
    message: Sentence,
}

impl InvitationOutcome {
    pub(super) fn of(email: GivenEmail, outcome: Result<Invitation, Error>) -> Self {
        match outcome {
            Ok(invitation) => Self { email, status: 201, invitation: Some(invitation), error: None },
            Err(error) => {
                let status = problem::status(error.code().kind()).as_u16();
                Self { email, status, invitation: None, error: Some(error.into()) }
            }
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (code, message) = (error.code(), error.to_string());
        let (errors, missing) = match error {
            Error::Invalid(_, errors) => (errors, Vec::new()),
            Error::Escalation(missing) => {
                (Vec::new(), missing.iter().map(access::Permission::as_str).collect())
            }
            _ => (Vec::new(), Vec::new()),
        };
        Self {
            error: RefusalCode(code.as_str().to_owned()),
            message: Sentence(message),
            errors: errors.into_iter().map(WrongField::from).collect(),
            missing: missing.into_iter().map(|permission| Permission(permission.to_owned())).collect(),
        }
    }
}

impl From<FieldError> for WrongField {
    fn from(FieldError { field, code, message }: FieldError) -> Self {
        Self { field: FieldPath(field), code: RefusalCode(code.to_owned()), message: Sentence(message) }
    }
}
