//! Why one of several things was refused: what a problem says of one thing by itself.

use insula_core::base::{
    error::{Error, FieldError, MAX_FIELD_ERRORS},
    permissions,
};
use poem_openapi::Object;
use serde::Serialize;

use super::{Permission, Sentence};
use crate::problem::{self, Problem};

crate::texts! {
    /// The stable name of a refusal.
    RefusalCode { length: 1..=50, example: "ALREADY_MEMBER" }
    /// The path of a field.
    FieldPath { length: 0..=1000, example: "roles[0]" }
}

/// Why one of several things was refused.
#[derive(Object, Serialize)]
pub struct BulkError {
    /// Names the kind of problem; stable, for programs.
    error: RefusalCode,
    /// Explanation for people: what happened, and what to do.
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
    /// Stable error code for programs.
    code: RefusalCode,
    /// Explanation for people.
    message: Sentence,
}

impl BulkError {
    /// The status that this would have had by itself, and why.
    pub fn of(error: Error) -> (u16, Self) {
        (problem::status(error.code().kind()).as_u16(), error.into())
    }
}

impl From<Error> for BulkError {
    fn from(error: Error) -> Self {
        let problem = Problem(error);
        let (message, error) = (problem.sentence(), problem.0);
        let code = error.code();
        let (errors, missing) = match error {
            Error::Invalid(_, errors) => (errors, Vec::new()),
            Error::Escalation(missing) => {
                (Vec::new(), missing.iter().map(permissions::Permission::as_str).collect())
            }
            _ => (Vec::new(), Vec::new()),
        };
        Self {
            error: RefusalCode(code.as_str().to_owned()),
            message: Sentence(message),
            errors: errors.into_iter().take(MAX_FIELD_ERRORS).map(WrongField::from).collect(),
            missing: missing.into_iter().map(|permission| Permission(permission.to_owned())).collect(),
        }
    }
}

impl From<FieldError> for WrongField {
    fn from(FieldError { field, code, message }: FieldError) -> Self {
        Self { field: FieldPath(field), code: RefusalCode(code.to_owned()), message: Sentence(message) }
    }
}
