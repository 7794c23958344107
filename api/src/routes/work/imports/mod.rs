//! `/organizations/{org}/imports/…`: import work data from files.

mod file;
mod layout;

use std::sync::Arc;

use insula_core::{
    base::{
        error::{Error, MAX_FIELD_ERRORS},
        permissions::TimeEntriesCreate,
    },
    storage::idempotency::IdempotentBegin,
    work::time_entries::{Import, RowError},
};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::CsvBody,
    http::{IdempotencyKey, Replayable, Sentence},
    problem::Result,
    state::AppState,
};

pub struct ImportsApi(pub Arc<AppState>);

crate::texts! {
    /// Name of a column. Empty if the problem concerns the whole row.
    ColumnName { length: 0..=100, example: "project_code" }
    /// Stable error code of a row, for programs.
    FaultCode { length: 1..=50, example: "UNKNOWN_PROJECT" }
}

/// The result of an import or of a dry run.
#[derive(Object, Serialize)]
struct ImportOutcome {
    /// Number of rows in the file, without the header and without empty rows.
    rows: usize,
    /// Number of time entries created: all rows except those that were running when they were exported. 0 for
    /// a dry run and if any row is invalid.
    imported: usize,
    /// The first 50 problems, in the order of the rows.
    errors: Vec<ImportFault>,
}

/// A problem in one row of the file.
#[derive(Object, Serialize)]
struct ImportFault {
    /// Number of the row, starting at 1. The header and empty rows do not count.
    row: usize,
    /// The column with the problem. Empty if the problem concerns the whole row.
    field: ColumnName,
    /// Stable error code, for programs.
    code: FaultCode,
    /// Description of the problem, for people.
    message: Sentence,
}

#[OpenApi(tag = "Tag::TimeEntries")]
impl ImportsApi {
    /// Import time entries
    ///
    /// Imports a CSV file in the format of the export, with at most 10,000 rows. If any row is invalid,
    /// nothing is imported. With `dry_run=true` nothing is imported either, and the response lists the first
    /// 50 problems.
    ///
    /// The columns `started_at` and `ended_at` are required. Optional columns are `member_email` or
    /// `member_id`, `project_code` or `project_id`, `task_id`, `activity`, `notes`, `billable` and `tags`. If
    /// a row has both, the e-mail address and the project code are used. A row without a member is your own;
    /// rows of other members need `time_entries:manage_all`.
    ///
    /// Every row becomes a new time entry. `duration_seconds` is ignored. If `id` is a time entry of this
    /// organization with the same times, the row can keep the member, project and task of that entry, even if
    /// they accept no new time entries. A row with an `id` but without `ended_at` was running when it was
    /// exported, and is skipped.
    ///
    /// Files from spreadsheets are accepted: cells separated by `,`, `;` or tabs, any line endings, headers
    /// and `TRUE` in any case, empty rows and columns at the end, UTF-8, UTF-16 with a byte order mark, and
    /// every encoding named in `charset`. The content type can also be `application/csv`,
    /// `application/vnd.ms-excel` or `text/plain`.
    #[oai(
        path = "/organizations/:org/imports/time-entries",
        method = "post",
        operation_id = "importTimeEntries"
    )]
    async fn time_entries(
        &self,
        org: tenant::Path<TimeEntriesCreate>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        /// Whether to check the file without importing it. Defaults to `false`.
        dry_run: Query<Option<bool>>,
        body: CsvBody,
    ) -> Result<Replayable<ImportOutcome>> {
        let is_tried = dry_run.0 == Some(true);
        let file = file::read(&body.text)?;
        let rows = file.rows.len() + file.faulty + file.running;
        let once = key.once_bytes(org.0.origin(), body.digest).filter(|_| !is_tried);
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(Replayable::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let mut import = Import::examine(&tx, file.rows).await?;
        import.faults.extend(file.faults);
        import.faults.sort_by_key(|fault| fault.row);
        import.faults.truncate(MAX_FIELD_ERRORS);
        if is_tried {
            let errors = import.faults.into_iter().map(ImportFault::from).collect();
            return Ok(Replayable::new(&ImportOutcome { rows, imported: 0, errors })?);
        }
        let imported = import.write(&tx).await?;
        let answer = Replayable::new(&ImportOutcome { rows, imported, errors: Vec::new() })?;
        // A file without rows changes nothing, so there is nothing to store: a repeated request gets the same
        // result.
        if imported > 0 {
            tx.commit_with(answer.stored()).await?;
        }
        Ok(answer)
    }
}

impl From<RowError> for ImportFault {
    fn from(RowError { row, fault }: RowError) -> Self {
        let (field, code) = (ColumnName(fault.field), FaultCode(fault.code.to_owned()));
        Self { row, field, code, message: Sentence(fault.message) }
    }
}

/// The error that refuses the whole file because of one column.
fn refuse(column: &str, code: &'static str, message: impl Into<String>) -> Error {
    let fault = insula_core::base::text::InvalidText { code, message: message.into() };
    insula_core::base::error::ErrorCode::ValidationFailed.refuse_field(column, fault)
}
