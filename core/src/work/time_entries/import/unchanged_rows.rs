//! Rows that repeat an existing entry, such as those of the organization's own export.
//!
//! The references of such a row do not need to accept new work. Its project can be archived, deleted or no longer
//! visible to the member, its task deleted, and its member removed. The current rules of time apply.

use std::collections::{HashMap, HashSet};

use sea_orm::ColumnTrait;

use super::{BATCH, Entity, ImportedEntry, Span, TimeEntry};
use crate::{
    Result,
    base::{
        ids::{MemberId, ProjectId, TimeEntryId},
        permissions::TimeEntriesCreate,
    },
    storage::db::OrgTx,
    work::{
        projects,
        time_entries::{Column, ProjectRef, visible},
    },
};

/// The entries with the ids in the file, also deleted ones, if the caller can see them.
#[derive(Default)]
pub(super) struct ExistingEntries {
    entries: HashMap<TimeEntryId, TimeEntry>,
    /// Canonical codes of their projects.
    codes: HashMap<ProjectId, String>,
}

impl ExistingEntries {
    pub(super) async fn of(tx: &OrgTx<TimeEntriesCreate>, rows: &[ImportedEntry]) -> Result<Self> {
        let mut existing = Self::default();
        let ids: Vec<_> = rows.iter().filter_map(|row| row.id).collect();
        for ids in ids.chunks(BATCH) {
            // A caller who can see no time entries repeats none.
            let Ok(is_visible) = visible(tx) else { break };
            let found = tx
                .find::<Entity>()
                .including_deleted()
                .filter(Column::Id.is_in(ids.iter().copied()))
                .filter(is_visible);
            existing.entries.extend(found.all().await?.into_iter().map(|entry| (entry.id, entry)));
        }
        let projects: HashSet<_> = existing.entries.values().filter_map(|entry| entry.project_id).collect();
        let projects: Vec<_> = projects.into_iter().collect();
        for ids in projects.chunks(BATCH) {
            let is_visible = tx.find::<projects::Entity>().including_deleted().filter(projects::visible(tx));
            let found = is_visible.filter(projects::Column::Id.is_in(ids.iter().copied())).all().await?;
            existing.codes.extend(found.into_iter().map(|project| (project.id, project.code_key)));
        }
        Ok(existing)
    }

    /// The entry that a row of this member repeats: the same member, project, task, start and end.
    pub(super) fn unchanged(&self, row: &ImportedEntry, member: Option<MemberId>) -> Option<&TimeEntry> {
        let entry = self.entries.get(&row.id?)?;
        let is_same_project = match (&row.project, entry.project_id) {
            (None, project) => project.is_none(),
            (Some(ProjectRef::Id(id)), project) => project == Some(*id),
            (Some(ProjectRef::Code(code)), project) => {
                project.and_then(|id| self.codes.get(&id)).is_some_and(|key| *key == code.key())
            }
        };
        let span = Span { started_at: entry.started_at, ended_at: entry.ended_at };
        let is_same = is_same_project
            && entry.task_id == row.task
            && Some(entry.member_id) == member
            && span == Span::new(row.started_at, Some(row.ended_at));
        is_same.then_some(entry)
    }
}
