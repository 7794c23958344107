//! Errors of the fields of a request.

use serde::Serialize;

use super::{Error, ErrorCode, Result};
use crate::base::text::InvalidText;

/// Maximum number of invalid fields in one response, so that a small request cannot cause a large response.
pub const MAX_FIELD_ERRORS: usize = 50;

/// One invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Path of the field, such as `members[0].role`, or the name of a query parameter or header.
    pub field: String,
    /// Stable error code for programs, in `UPPER_SNAKE`.
    pub code: &'static str,
    /// Explanation for people.
    pub message: String,
}

/// Collects the errors of the fields of one request, so that all are reported at once.
#[derive(Debug, Default)]
pub struct FieldErrors {
    faults: Vec<FieldError>,
    /// The code of the errors, if all have the same one.
    code: Option<ErrorCode>,
}

impl FieldErrors {
    /// Returns the value, or records the error for the field.
    pub fn parse<T>(&mut self, field: &str, value: Result<T, InvalidText>) -> Option<T> {
        value.map_err(|fault| self.add(field, fault.code, fault.message)).ok()
    }

    /// Like [`FieldErrors::parse`], for a field that may be absent.
    pub fn parse_optional<T>(&mut self, field: &str, value: Option<Result<T, InvalidText>>) -> Option<T> {
        value.and_then(|value| self.parse(field, value))
    }

    /// Records an error for a field.
    pub fn add(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        let fault = FieldError { field: field.to_owned(), code, message: message.into() };
        self.join(ErrorCode::ValidationFailed, [fault]);
    }

    /// Adds the field errors of another check.
    ///
    /// # Errors
    /// The error of the check, if it is not about fields.
    pub fn merge(&mut self, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(Error::Invalid(code, faults)) => self.join(code, faults),
            other => return other,
        }
        Ok(())
    }

    fn join(&mut self, code: ErrorCode, faults: impl IntoIterator<Item = FieldError>) {
        self.code =
            Some(self.code.filter(|common| *common != code).map_or(code, |_| ErrorCode::ValidationFailed));
        self.faults.extend(faults);
    }

    /// # Errors
    /// All recorded errors, if there are any: with their common code, or `VALIDATION_FAILED`.
    pub fn into_result(self) -> Result<()> {
        match self.code {
            None => Ok(()),
            Some(code) => Err(Error::Invalid(code, self.faults)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_with_one_code_keep_that_code() {
        let weak = || {
            Err(ErrorCode::WeakPassword
                .refuse_field("password", InvalidText { code: "TOO_COMMON", message: String::new() }))
        };
        let (mut fields, mut mixed) = (FieldErrors::default(), FieldErrors::default());
        fields.merge(Ok(())).unwrap();
        fields.merge(weak()).unwrap();
        assert_eq!(fields.into_result().unwrap_err().code(), ErrorCode::WeakPassword);
        mixed.merge(weak()).unwrap();
        mixed.add("email", "REQUIRED", "");
        let Err(Error::Invalid(code, faults)) = mixed.into_result() else { panic!("expected field errors") };
        assert_eq!((code, faults.len()), (ErrorCode::ValidationFailed, 2));
        assert!(FieldErrors::default().merge(Err(ErrorCode::NotFound.refuse())).is_err());
        assert!(FieldErrors::default().into_result().is_ok());
    }
}
