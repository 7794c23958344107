//! Which version of a row a change may be made to.

use crate::{Result, base::error::ErrorCode};

/// What the caller says of the version that is there (`If-Match`, RFC 9110 §13.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected<V = i64> {
    /// Nothing, or that any will do.
    Any,
    /// It is one of these. There may be none, if the caller named none that a row can have.
    OneOf(Vec<V>),
}

impl<V: PartialEq> Expected<V> {
    /// Refuses a change to a copy that is no longer the present one. Asked when the row is locked.
    ///
    /// # Errors
    /// `PRECONDITION_FAILED` unless `version` is expected.
    pub fn check(&self, version: &V) -> Result<()> {
        match self {
            Self::OneOf(versions) if !versions.contains(version) => {
                Err(ErrorCode::PreconditionFailed.refuse())
            }
            Self::Any | Self::OneOf(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_those_that_are_expected_must_be_there() {
        assert!(Expected::Any.check(&7).is_ok());
        assert!(Expected::OneOf(vec![2, 7]).check(&7).is_ok());
        for others in [vec![], vec![2], vec![0, 70]] {
            assert_eq!(Expected::OneOf(others).check(&7).unwrap_err().code(), ErrorCode::PreconditionFailed);
        }
    }
}
