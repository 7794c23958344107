//! Parses a typed value from JSON. Checks the syntax, then the schema, then the type itself.

use insula_core::base::error::{Error, ErrorCode, FieldError};
use poem_openapi::types::ParseFromJSON;

use super::{Schema, parse::parse};

/// Parses `bytes` as a `T`.
pub(crate) fn read<T: ParseFromJSON + 'static>(bytes: &[u8]) -> Result<T, Error> {
    let value = parse(bytes).map_err(|error| Error::Invalid(ErrorCode::BadRequest, vec![error]))?;
    let errors = Schema::of::<T>().check(&value);
    if !errors.is_empty() {
        return Err(Error::Invalid(ErrorCode::ValidationFailed, errors));
    }
    // Errors that a schema cannot express come from the type itself, without a path.
    T::parse_from_json(Some(value)).map_err(|err| {
        let message = message_of_type(err.message()).to_owned();
        let field = FieldError { field: String::new(), code: "INVALID_FORMAT", message };
        Error::Invalid(ErrorCode::ValidationFailed, vec![field])
    })
}

/// The message without the framework's prefix and suffix: `failed to parse "T": … (occurred while parsing
/// "U")`.
fn message_of_type(message: &str) -> &str {
    let inner = message.split(" (occurred while parsing").next().unwrap_or(message);
    match inner.strip_prefix("failed to parse \"").and_then(|rest| rest.split_once("\": ")) {
        // The framework's own validators name the field as in code.
        Some((_, words)) if !words.starts_with("field `") => words,
        _ => "Is not a valid value.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_type_omit_the_text_of_the_framework() {
        let message = r#"failed to parse "Slug": Is reserved. (occurred while parsing "NewOrganization")"#;
        assert_eq!(message_of_type(message), "Is reserved.");
        let validator = r#"failed to parse "Users": field `ids` verification failed. uniqueItems()"#;
        assert_eq!(message_of_type(validator), "Is not a valid value.");
        assert_eq!(message_of_type(r#"Expected input type "x", found 1."#), "Is not a valid value.");
    }
}
