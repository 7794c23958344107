//! Rows that restate an entry which the organization holds already, as every row of its own export does.
//!
//! What such a row refers to needs no permission to take new work: its project may be archived or deleted since, or not
//! visible to the member any more, its task deleted, its member gone. The time itself heeds the rules of today.

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

/// The entries that rows name by their ids, deleted ones too, as far as the caller sees them.
#[derive(Default)]
pub(super) struct ExistingEntries {
    entries: HashMap<TimeEntryId, TimeEntry>,
    /// The codes of their projects, as they are compared.
    codes: HashMap<ProjectId, String>,
}

impl ExistingEntries {
    pub(super) async fn of(tx: &OrgTx<TimeEntriesCreate>, rows: &[ImportedEntry]) -> Result<Self> {
        let mut held = Self::default();
        let ids: Vec<_> = rows.iter().filter_map(|row| row.id).collect();
        for ids in ids.chunks(BATCH) {
            // Whoever sees no time at all restates none.
            let Ok(seen) = visible(tx) else { break };
            let found = tx
                .find::<Entity>()
                .including_deleted()
                .filter(Column::Id.is_in(ids.iter().copied()))
                .filter(seen);
            held.entries.extend(found.all().await?.into_iter().map(|entry| (entry.id, entry)));
        }
        let projects: HashSet<_> = held.entries.values().filter_map(|entry| entry.project_id).collect();
        let projects: Vec<_> = projects.into_iter().collect();
        for ids in projects.chunks(BATCH) {
            let seen = tx.find::<projects::Entity>().including_deleted().filter(projects::visible(tx));
            let found = seen.filter(projects::Column::Id.is_in(ids.iter().copied())).all().await?;
            held.codes.extend(found.into_iter().map(|project| (project.id, project.code_key)));
        }
        Ok(held)
    }

    /// The entry that a row of this member restates: the same member, project and task at the same time.
    pub(super) fn restated(&self, row: &ImportedEntry, member: Option<MemberId>) -> Option<&TimeEntry> {
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
