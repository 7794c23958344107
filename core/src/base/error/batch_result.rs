//! The result of a batch of independent items.

use super::{Error, Result};

/// Counts the results of a batch. An item that fails does not stop the others.
#[derive(Debug, Default)]
pub(crate) struct BatchResult {
    done: u64,
    failure: Option<Error>,
}

impl BatchResult {
    /// Adds the result of one item. Returns its error, if it failed, for the log.
    pub(crate) fn add(&mut self, item: Result<u64>) -> Option<&Error> {
        match item {
            Ok(done) => {
                self.done += done;
                None
            }
            Err(error) => Some(self.failure.insert(error)),
        }
    }

    /// The sum of all counts.
    ///
    /// # Errors
    /// The last error, if the sum is 0, so that a caller which repeats the batch until nothing is left stops.
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
        assert!(batch.add(Err(Error::Internal("first"))).is_some());
        assert!(batch.add(Err(Error::Internal("last"))).is_some());
        assert!(batch.add(Ok(0)).is_none());
        assert!(matches!(batch.into_result(), Err(Error::Internal("last"))));
        let mut batch = BatchResult::default();
        assert!(batch.add(Ok(2)).is_none() && batch.add(Err(Error::DatabaseUnreachable)).is_some());
        assert!(batch.add(Ok(3)).is_none());
        assert_eq!(batch.into_result().unwrap(), 5);
        assert_eq!(BatchResult::default().into_result().unwrap(), 0);
    }
}
