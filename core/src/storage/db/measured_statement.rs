//! The span and the duration of a statement.

use std::time::Instant;

use crate::runtime::telemetry::{
    metrics,
    traces::{self, TraceSpan},
};

/// The first words of statements, which are the labels of their metric. All others are `_OTHER`.
const OPERATIONS: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "SET", "WITH"];

/// A statement that has begun. Without [`MeasuredStatement::finish`], because its future was dropped, only its span ends.
pub(super) struct MeasuredStatement {
    span: TraceSpan,
    system: &'static str,
    operation: &'static str,
    started: Instant,
}

impl MeasuredStatement {
    /// Begins to measure `sql`. `system`: `postgresql` or `sqlite`.
    pub(super) fn begin(system: &'static str, sql: &str) -> Self {
        let span = traces::database(system, sql);
        Self { span, system, operation: operation(sql), started: Instant::now() }
    }

    /// Records the duration, and the failure if `outcome` is an error.
    pub(super) fn finish<T>(self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        let Self { span, system, operation, started } = self;
        let error_type = outcome.is_err().then_some("_OTHER");
        metrics::database_operation(system, operation, error_type, started.elapsed());
        span.finish(outcome)
    }
}

fn operation(sql: &str) -> &'static str {
    let word = sql.split(|character: char| !character.is_ascii_alphabetic()).next().unwrap_or_default();
    OPERATIONS.iter().find(|known| known.eq_ignore_ascii_case(word)).map_or("_OTHER", |known| *known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_one_of_a_few_words() {
        for (sql, expected) in [
            (r#"SELECT "id" FROM "tasks""#, "SELECT"),
            ("begin", "BEGIN"),
            ("SET LOCAL ROLE insula", "SET"),
            ("SELECTED", "_OTHER"),
            ("", "_OTHER"),
            ("PRAGMA foreign_keys", "_OTHER"),
        ] {
            assert_eq!(operation(sql), expected, "{sql}");
        }
    }
}
