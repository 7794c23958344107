//! Time entries, in the order in which they began.

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

/// Which entries are wanted; `None` asks for all.
#[derive(Clone, Debug, Default)]
pub struct EntrySelection {
    /// Those with a part at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Those with a part before this instant.
    pub to: Option<DateTime<Utc>>,
    /// Those of this member.
    pub member: Option<MemberId>,
    /// Those on this project.
    pub project: Option<ProjectId>,
    /// By whose clocks instants are written; UTC where it is not said.
    pub zone: Option<TimeZone>,
}

/// A time entry as a file has it. The names of its members are the columns of the CSV, but for `tag_ids`.
#[derive(Clone, Debug, Serialize)]
pub struct ExportedEntry {
    /// The entry.
    pub id: TimeEntryId,
    /// Who worked.
    pub member_id: MemberId,
    /// His address.
    pub member_email: Option<String>,
    /// On which project.
    pub project_id: Option<ProjectId>,
    /// Its code; `None` also where whoever exports does not see it.
    pub project_code: Option<String>,
    /// On which task.
    pub task_id: Option<TaskId>,
    /// What kind of work.
    pub activity: Option<String>,
    /// What was done.
    pub notes: Option<String>,
    /// When it began.
    pub started_at: DateTime<FixedOffset>,
    /// When it ended; `None`: it is running.
    pub ended_at: Option<DateTime<FixedOffset>>,
    /// How long it took; `None`: it is running.
    pub duration_seconds: Option<i64>,
    /// Is it to be paid for?
    pub billable: bool,
    /// The names of its tags, in their order.
    pub tags: Vec<String>,
    /// The tags, in the order of their names.
    pub tag_ids: Vec<TagId>,
}

/// By when they began.
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
            let tags = names.tagged(tags.remove(&entry.id).unwrap_or_default());
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
