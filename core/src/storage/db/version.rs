//! Checks the version of a row before a change.

use crate::{Result, base::error::ErrorCode};

/// The version that the caller expects (`If-Match`, RFC 9110 §13.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedVersion<V = i64> {
    /// Any version.
    Any,
    /// One of these versions. The list is empty if no version of the caller can exist.
    OneOf(Vec<V>),
}

impl<V: PartialEq> ExpectedVersion<V> {
    /// Refuses a change of an outdated version. Call it when the row is locked.
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
    fn the_current_version_must_be_expected() {
        assert!(ExpectedVersion::Any.check(&7).is_ok());
        assert!(ExpectedVersion::OneOf(vec![2, 7]).check(&7).is_ok());
        for others in [vec![], vec![2], vec![0, 70]] {
            assert_eq!(
                ExpectedVersion::OneOf(others).check(&7).unwrap_err().code(),
                ErrorCode::PreconditionFailed
            );
        }
    }
}
