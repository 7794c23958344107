//! `/organizations/{org}/imports/…`: work data from files.

mod file;
mod layout;

use std::sync::Arc;

use insula_core::{
    base::{
        error::{Error, MAX_FIELD_ERRORS},
        permissions::TimeEntriesCreate,
    },
    storage::idempotency::IdempotentBegin,
    work::time_entries::{Import, RowFault},
};
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::CsvBody,
    http::{IdempotencyKey, Replayable, Sentence},
    problem::Result,
    state::State,
};

pub struct ImportsApi(pub Arc<State>);

crate::texts! {
    /// The name of a column.
    ColumnName { length: 0..=100, example: "project_code" }
    /// Stable error code for programs.
    FaultCode { length: 1..=50, example: "UNKNOWN_PROJECT" }
}

/// What came of an import, or would.
#[derive(Object, Serialize)]
struct ImportOutcome {
    /// How many rows the file has; those without anything in them do not count.
    rows: usize,
    /// How many were written down: all, but for those that were running when they were exported, or none.
    imported: usize,
    /// What is wrong: the first 50 faults, in the order of the rows.
    errors: Vec<ImportFault>,
}

/// What is wrong with one row.
#[derive(Object, Serialize)]
struct ImportFault {
    /// Which row, from 1; the header is none, nor are rows without anything in them.
    row: usize,
    /// In which column.
    field: ColumnName,
    /// Stable error code for programs.
    code: FaultCode,
    /// What is wrong, for people.
    message: Sentence,
}

#[OpenApi(tag = "Tag::TimeEntries")]
impl ImportsApi {
    /// Import time entries
    ///
    /// From a CSV such as the export writes: `started_at` and `ended_at`; and where they are there `member_email` or
    /// `member_id`, `project_code` or `project_id`, `task_id`, `activity`, `notes`, `billable`, `tags`. Where both are given
    /// the address and the code count. A row that names nobody is the caller's own; those of others need
    /// `time_entries:manage_all`. Every row becomes a new entry, and `duration_seconds` is passed over. A row whose `id` is an
    /// entry of this organization may keep its member, project and task even where these take no new time any more, as long as
    /// it says the same of them and of when it was; with an `id` and without `ended_at` it was running, and is passed over. One
    /// bad row imports nothing; with `dry_run=true` nothing is imported at all, and what is wrong is listed:
    /// the first 50 faults.
    ///
    /// What spreadsheets write is read: `,`, `;` or tabs between cells, any line ends, headers and `TRUE` in any case, empty
    /// rows and columns at the end, UTF-8, UTF-16 with a byte order mark, and every encoding that `charset` names. The type may
    /// also be `application/csv`, `application/vnd.ms-excel` or `text/plain`.
    #[oai(
        path = "/organizations/:org/imports/time-entries",
        method = "post",
        operation_id = "importTimeEntries"
    )]
    async fn time_entries(
        &self,
        org: tenant::Path<TimeEntriesCreate>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        /// Only say what would come of it.
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
        // Of a file without rows nothing is to be kept, and whoever asks again is told the same.
        if imported > 0 {
            tx.commit_with(answer.stored()).await?;
        }
        Ok(answer)
    }
}

impl From<RowFault> for ImportFault {
    fn from(RowFault { row, fault }: RowFault) -> Self {
        let (field, code) = (ColumnName(fault.field), FaultCode(fault.code.to_owned()));
        Self { row, field, code, message: Sentence(fault.message) }
    }
}

/// The refusal of a whole file, because of one column.
fn refuse(column: &str, code: &'static str, message: impl Into<String>) -> Error {
    let fault = insula_core::base::text::InvalidText { code, message: message.into() };
    insula_core::base::error::ErrorCode::ValidationFailed.refuse_field(column, fault)
}
