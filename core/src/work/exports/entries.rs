//! Time entries, ordered by start time.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset, Utc};
use sea_orm::{ColumnTrait, Condition};
use serde::Serialize;
use serde_json::{Value, json};

use super::{BATCH, ExportSelection, references::ExportReferences};
use crate::{
    Result,
    base::{
        ids::{MemberId, ProjectId, TagId, TaskId, TimeEntryId},
        pagination::{CursorPosition, Page, PageRequest, Sort},
        permissions::ExportsCreate,
        text::TimeZone,
    },
    storage::{
        audit::Action,
        db::{OrgTx, SortKey},
    },
    work::time_entries::{self, Column, TimeEntry, time_entry_tags},
};

/// Filter of the export; `None` matches all entries.
#[derive(Clone, Debug, Default)]
pub struct EntrySelection {
    /// Only entries that end after this time, or run.
    pub from: Option<DateTime<Utc>>,
    /// Only entries that start before this time.
    pub to: Option<DateTime<Utc>>,
    /// Only entries of this member.
    pub member: Option<MemberId>,
    /// Only entries of this project.
    pub project: Option<ProjectId>,
    /// Time zone of all times in the file; UTC if none was requested.
    pub zone: Option<TimeZone>,
}

/// A time entry in a file. The field names are the columns of the CSV, except `tag_ids`.
#[derive(Clone, Debug, Serialize)]
pub struct ExportedEntry {
    /// The time entry.
    pub id: TimeEntryId,
    /// The member who worked.
    pub member_id: MemberId,
    /// E-mail address of the member.
    pub member_email: Option<String>,
    /// `None` without a project.
    pub project_id: Option<ProjectId>,
    /// `None` also if the caller of the export cannot see the project.
    pub project_code: Option<String>,
    /// `None` without a task.
    pub task_id: Option<TaskId>,
    /// Kind of work.
    pub activity: Option<String>,
    /// `None` without notes.
    pub notes: Option<String>,
    /// With the UTC offset of the requested time zone.
    pub started_at: DateTime<FixedOffset>,
    /// `None` while the timer runs.
    pub ended_at: Option<DateTime<FixedOffset>>,
    /// In seconds; `None` while the timer runs.
    pub duration_seconds: Option<i64>,
    /// Whether it is billable.
    pub billable: bool,
    /// Names of the tags, sorted.
    pub tags: Vec<String>,
    /// Ids of the tags, in the order of their names.
    pub tag_ids: Vec<TagId>,
}

/// The keyset order: start time, then id.
#[derive(Clone, Copy)]
struct ByStart;

impl SortKey for ByStart {
    type Table = time_entries::Entity;

    fn column(self) -> Column {
        Column::StartedAt
    }
}

impl EntrySelection {
    fn condition(&self, tx: &OrgTx<ExportsCreate>) -> Result<Condition> {
        Ok(Condition::all()
            .add(time_entries::visible(tx)?)
            .add(time_entries::window(self.from, self.to))
            .add_option(self.member.map(|member| Column::MemberId.eq(member)))
            .add_option(self.project.map(|project| Column::ProjectId.eq(project))))
    }
}

impl ExportSelection for EntrySelection {
    type Row = ExportedEntry;
    const ACTION: Action = Action::TimeEntriesExported;

    fn facts(&self) -> Value {
        json!({ "from": self.from, "to": self.to, "member_id": self.member, "project_id": self.project })
    }

    async fn count(&self, tx: &OrgTx<ExportsCreate>) -> Result<u64> {
        tx.find::<time_entries::Entity>().filter(self.condition(tx)?).count().await
    }

    async fn batch(
        &self,
        tx: &OrgTx<ExportsCreate>,
        after: Option<CursorPosition>,
    ) -> Result<Page<ExportedEntry>> {
        let listing = PageRequest { limit: BATCH, sort: Sort { key: ByStart, descending: false }, after };
        let page = tx.find::<time_entries::Entity>().filter(self.condition(tx)?).page(listing).await?;
        let links = time_entry_tags::Column::TimeEntryId.is_in(page.data.iter().map(|entry| entry.id));
        let links = tx.find::<time_entry_tags::Entity>().filter(links).all().await?;
        let names = ExportReferences::of(
            tx,
            page.data.iter().map(|entry| entry.member_id),
            page.data.iter().filter_map(|entry| entry.project_id),
            links.iter().map(|link| link.tag_id),
        );
        let names = names.await?;
        let mut tags: HashMap<TimeEntryId, Vec<TagId>> = HashMap::new();
        links.into_iter().for_each(|link| tags.entry(link.time_entry_id).or_default().push(link.tag_id));
        let zone = self.zone.clone().unwrap_or_else(TimeZone::utc);
        let row = |entry: TimeEntry| {
            let tags = names.sorted_tags(tags.remove(&entry.id).unwrap_or_default());
            exported(entry, &names, tags, &zone)
        };
        Ok(Page { data: page.data.into_iter().map(row).collect(), next: page.next })
    }
}

fn exported(
    entry: TimeEntry,
    names: &ExportReferences,
    tags: Vec<(String, TagId)>,
    zone: &TimeZone,
) -> ExportedEntry {
    let (tags, tag_ids) = tags.into_iter().unzip();
    ExportedEntry {
        id: entry.id,
        member_id: entry.member_id,
        member_email: names.email(entry.member_id),
        project_id: entry.project_id,
        project_code: entry.project_id.and_then(|project| names.code(project)),
        task_id: entry.task_id,
        activity: entry.activity,
        notes: entry.notes,
        started_at: zone.local(entry.started_at),
        ended_at: entry.ended_at.map(|end| zone.local(end)),
        duration_seconds: entry.ended_at.map(|end| (end - entry.started_at).num_seconds()),
        billable: entry.billable,
        tags,
        tag_ids,
    }
}
