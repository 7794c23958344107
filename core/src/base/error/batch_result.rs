//! The result of many pieces of work that do not depend on each other.

use super::{Error, Result};

/// Counts what a batch of work did. A piece that fails does not keep the others from being done.
#[derive(Debug, Default)]
pub(crate) struct BatchResult {
    done: u64,
    failure: Option<Error>,
}

impl BatchResult {
    /// Adds the count of one piece of work. Returns the error of a piece that failed, for the log.
    pub(crate) fn add(&mut self, piece: Result<u64>) -> Option<&Error> {
        match piece {
            Ok(done) => {
                self.done += done;
                None
            }
            Err(error) => Some(self.failure.insert(error)),
        }
    }

    /// The sum of what was done.
    ///
    /// # Errors
    /// The last error, if nothing was done: work that is repeated until nothing is left then stops.
    pub(crate) fn into_result(self) -> Result<u64> {
        match self.failure {
            Some(error) if self.done == 0 => Err(error),
            _ => Ok(self.done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_counts_when_nothing_was_done() {
        let mut batch = BatchResult::default();
        assert!(batch.add(Err(Error::Broken("first"))).is_some());
        assert!(batch.add(Err(Error::Broken("last"))).is_some());
        assert!(batch.add(Ok(0)).is_none());
        assert!(matches!(batch.into_result(), Err(Error::Broken("last"))));
        let mut batch = BatchResult::default();
        assert!(batch.add(Ok(2)).is_none() && batch.add(Err(Error::Away)).is_some());
        assert!(batch.add(Ok(3)).is_none());
        assert_eq!(batch.into_result().unwrap(), 5);
        assert_eq!(BatchResult::default().into_result().unwrap(), 0);
    }
}
