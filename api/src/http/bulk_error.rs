//! Why one item of a bulk request was refused, like the problem details of a single request.

use insula_core::base::{
    error::{Error, FieldError, MAX_FIELD_ERRORS},
    permissions,
};
use poem_openapi::Object;
use serde::Serialize;

use super::{Permission, Sentence};
use crate::problem::{self, Problem};

crate::texts! {
    /// The stable code of an error.
    RefusalCode { length: 1..=50, example: "ALREADY_MEMBER" }
    /// The path of a field in the body.
    FieldPath { length: 0..=1000, example: "roles[0]" }
}

/// Why one item of a bulk request was refused.
#[derive(Object, Serialize)]
pub struct BulkError {
    /// Stable error code for programs.
    error: RefusalCode,
    /// Message for users: what happened, and what to do.
    message: Sentence,
    /// All invalid fields of the item. The paths are relative to the item.
    errors: Vec<WrongField>,
    /// The permissions that you lack, for `ESCALATION`. Otherwise empty.
    missing: Vec<Permission>,
}

/// An invalid field, and what is wrong with it.
#[derive(Object, Serialize)]
struct WrongField {
    /// Path of the field, such as `roles[0]`.
    field: FieldPath,
    /// Stable error code for programs.
    code: RefusalCode,
    /// Message for users: what is wrong with the field.
    message: Sentence,
}

impl BulkError {
    /// The HTTP status of a single request, and the error.
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
