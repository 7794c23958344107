//! Work data as files. Rows are read in batches, each in its own transaction. So a long file blocks nobody, and each
//! row is as it was when its batch was read.

mod entries;
mod references;
mod tasks;

use std::future::Future;

use serde_json::Value;

pub use entries::{EntrySelection, ExportedEntry};
pub use tasks::{ExportedTask, TaskSelection};

use crate::{
    Result,
    base::{
        pagination::{CursorPosition, Page},
        permissions::{Authorized, ExportsCreate},
    },
    storage::{
        audit::{Action, EventDetails},
        db::{Db, OrgTx},
    },
};

/// Rows per batch.
const BATCH: u64 = 1_000;

/// The filter of an exported resource.
pub trait ExportSelection: Send + Sync + 'static {
    /// A row of the file.
    type Row: Send + 'static;
    /// The audit action of the export.
    const ACTION: Action;

    /// The details of the audit event.
    fn facts(&self) -> Value;

    /// The number of rows.
    fn count(&self, tx: &OrgTx<ExportsCreate>) -> impl Future<Output = Result<u64>> + Send;

    /// The next rows after a position, in order.
    fn batch(
        &self,
        tx: &OrgTx<ExportsCreate>,
        after: Option<CursorPosition>,
    ) -> impl Future<Output = Result<Page<Self::Row>>> + Send;
}

/// An export in progress.
pub struct WorkExport<S> {
    db: Db,
    proof: Authorized<ExportsCreate>,
    selection: S,
    rows: u64,
    /// Position of the next batch; `None` after the last one.
    rest: Option<Option<CursorPosition>>,
}

impl<S: ExportSelection> WorkExport<S> {
    /// Counts the rows and starts the export.
    ///
    /// # Errors
    /// Errors of the database; `NOT_A_MEMBER` for superusers who have no time entries of their own and cannot see those
    /// of others.
    pub async fn begin(db: &Db, proof: &Authorized<ExportsCreate>, selection: S) -> Result<Self> {
        let rows = selection.count(&db.begin_read(proof).await?).await?;
        Ok(Self { db: db.clone(), proof: proof.duplicate(), selection, rows, rest: Some(None) })
    }

    /// Number of rows at the start of the export.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next rows; `None` after the last one.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn next(&mut self) -> Result<Option<Vec<S::Row>>> {
        let Some(after) = self.rest.take() else { return Ok(None) };
        let tx = self.db.begin_read(&self.proof).await?;
        let page = self.selection.batch(&tx, after).await?;
        self.rest = page.next.map(Some);
        Ok(Some(page.data))
    }

    /// Records the export in the audit log, with its format (`csv`, `jsonl`) and filter.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn note(&self, tx: &OrgTx<ExportsCreate>, format: &str) -> Result<()> {
        let mut facts = self.selection.facts();
        facts["format"] = format.into();
        tx.record(S::ACTION, tx.org(), EventDetails::created(facts)).await
    }
}
