//! Work data as files, for those who work on with them elsewhere. Read batch by batch, each in a transaction of its own: a
//! file of any length holds nobody up, and what changes meanwhile is in it as it was when its batch was read.

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
        audit::{Action, Details},
        db::{Db, OrgTx},
    },
};

/// Rows that one transaction reads.
const BATCH: u64 = 1_000;

/// Which rows of a noun are wanted.
pub trait ExportSelection: Send + Sync + 'static {
    /// A row as a file has it.
    type Row: Send + 'static;
    /// That they were exported.
    const ACTION: Action;

    /// What the audit log tells of it.
    fn facts(&self) -> Value;

    /// How many rows there are.
    fn count(&self, tx: &OrgTx<ExportsCreate>) -> impl Future<Output = Result<u64>> + Send;

    /// The rows after a place, in their order.
    fn batch(
        &self,
        tx: &OrgTx<ExportsCreate>,
        after: Option<CursorPosition>,
    ) -> impl Future<Output = Result<Page<Self::Row>>> + Send;
}

/// Rows that are being exported, batch by batch.
pub struct WorkExport<S> {
    db: Db,
    proof: Authorized<ExportsCreate>,
    selection: S,
    rows: u64,
    /// From where on; `None`: there are no more.
    rest: Option<Option<CursorPosition>>,
}

impl<S: ExportSelection> WorkExport<S> {
    /// Counts what there is.
    ///
    /// # Errors
    /// Whatever the database refuses; `NOT_A_MEMBER` for whoever has no rows of his own and sees nobody else's.
    pub async fn begin(db: &Db, proof: &Authorized<ExportsCreate>, selection: S) -> Result<Self> {
        let rows = selection.count(&db.begin_read(proof).await?).await?;
        Ok(Self { db: db.clone(), proof: proof.duplicate(), selection, rows, rest: Some(None) })
    }

    /// How many rows there were when it began.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next rows; `None`: there are no more.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn next(&mut self) -> Result<Option<Vec<S::Row>>> {
        let Some(after) = self.rest.take() else { return Ok(None) };
        let tx = self.db.begin_read(&self.proof).await?;
        let page = self.selection.batch(&tx, after).await?;
        self.rest = page.next.map(Some);
        Ok(Some(page.data))
    }

    /// Writes down that they were exported, as what (`csv`, `jsonl`), and which.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn note(&self, tx: &OrgTx<ExportsCreate>, format: &str) -> Result<()> {
        let mut facts = self.selection.facts();
        facts["format"] = format.into();
        tx.record(S::ACTION, tx.org(), Details::created(facts)).await
    }
}
