//! Many entries at once, from somewhere else: all of them or none.

mod overlaps;
mod references;
mod unchanged_rows;

use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::{
    Entity, MOST_TAGS, Source, TimeEntry, TimeEntryWithTags, entity,
    references::ProjectRef,
    rules::{Rules, Span},
    time_entry_tags,
};
use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldError, FieldErrors, MAX_FIELD_ERRORS},
        ids::{MemberId, TaskId, TimeEntryId, TimeEntryTagId},
        permissions::{Permission, TimeEntriesCreate},
        text::{Activity, EmailAddress, Notes, TagName},
    },
    storage::{
        audit::{Action, Details},
        db::OrgTx,
    },
};
use chrono::{DateTime, Utc};
use references::ImportReferences;
use sea_orm::ActiveValue::Set;

/// Most entries of one import.
pub const MOST_ROWS: usize = 10_000;

/// Rows that are made ready at a time.
const BATCH: usize = 500;

/// Who worked, as a file names him.
#[derive(Clone, Debug)]
pub enum MemberRef {
    /// By his id.
    Id(MemberId),
    /// By his address.
    Email(EmailAddress),
}

/// One entry of a file.
#[derive(Clone, Debug)]
pub struct ImportedEntry {
    /// Its place in the file, from 1.
    pub row: usize,
    /// The entry that it was exported from, if it was. It becomes a new one all the same.
    pub id: Option<TimeEntryId>,
    /// Who worked; `None`: the caller.
    pub member: Option<MemberRef>,
    /// The project; `None`: that of the task, if there is one.
    pub project: Option<ProjectRef>,
    /// The task.
    pub task: Option<TaskId>,
    /// What kind of work.
    pub activity: Option<Activity>,
    /// What was done.
    pub notes: Option<Notes>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Is it to be paid for?
    pub billable: bool,
    /// The names of the tags.
    pub tags: Vec<TagName>,
}

/// What is wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// Which, from 1.
    pub row: usize,
    /// In which column, and why.
    pub fault: FieldError,
}

/// Entries that could be written, and what is wrong with the others.
#[must_use]
pub struct Import {
    sound: Vec<TimeEntryWithTags>,
    /// What is wrong, in the order of the rows: the first [`MOST_FAULTS`].
    pub faults: Vec<RowFault>,
}

impl Import {
    /// Looks at every row as if it were written down by itself, and at all of them together. Locks the members concerned: it
    /// holds until the transaction ends.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn examine(tx: &OrgTx<TimeEntriesCreate>, rows: Vec<ImportedEntry>) -> Result<Self> {
        let registry = ImportReferences::of(tx, &rows).await?;
        let rules = Rules::of(tx).await?;
        let (mut sound, mut faults, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let place = row.row;
            match admit(tx, &registry, &rules, row) {
                Ok(shown) => {
                    places.push(place);
                    sound.push(shown);
                }
                // Those of later rows would not be told.
                Err(_) if faults.len() >= MAX_FIELD_ERRORS => {}
                Err(wrong) => faults.extend(wrong.into_iter().map(|fault| RowFault { row: place, fault })),
            }
        }
        for double in overlaps::find(tx, &rules, &sound).await? {
            let code = ErrorCode::TimeEntryOverlap;
            let (field, message) = ("started_at".to_owned(), code.sentence().to_owned());
            let fault = FieldError { field, code: code.as_str(), message };
            faults.push(RowFault { row: places[double], fault });
        }
        faults.sort_by_key(|fault| fault.row);
        faults.truncate(MAX_FIELD_ERRORS);
        Ok(Self { sound, faults })
    }

    /// Writes all rows down, each with an event; gives their number.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` naming every wrong row, as `rows[7].project_code`.
    pub async fn write(self, tx: &OrgTx<TimeEntriesCreate>) -> Result<usize> {
        if !self.faults.is_empty() {
            let named = self.faults.into_iter().map(|RowFault { row, fault }| FieldError {
                field: format!("rows[{row}].{}", fault.field),
                ..fault
            });
            return Err(Error::Invalid(ErrorCode::ValidationFailed, named.collect()));
        }
        for batch in self.sound.chunks(BATCH) {
            let rows = batch.iter().map(|shown| shown.entry.clone().into_active_model().reset_all());
            tx.insert_many::<entity::ActiveModel>(rows.collect()).await?;
            let links: Vec<_> = batch.iter().flat_map(|shown| links(tx, shown)).collect();
            tx.insert_many(links).await?;
            let events = batch.iter().map(|shown| (shown.entry.id, Details::created(shown.facts())));
            tx.record_each(Action::TimeEntryImported, events.collect()).await?;
        }
        Ok(self.sound.len())
    }
}

fn links(tx: &OrgTx<TimeEntriesCreate>, shown: &TimeEntryWithTags) -> Vec<time_entry_tags::ActiveModel> {
    let link = |tag: &crate::base::ids::TagId| time_entry_tags::ActiveModel {
        id: Set(TimeEntryTagId::new(tx.now())),
        time_entry_id: Set(shown.entry.id),
        tag_id: Set(*tag),
        created_at: Set(tx.now()),
        ..Default::default()
    };
    shown.tags.iter().map(link).collect()
}

/// The entry that a row makes, or everything that is wrong with it.
fn admit(
    tx: &OrgTx<TimeEntriesCreate>,
    registry: &ImportReferences,
    rules: &Rules,
    row: ImportedEntry,
) -> Result<TimeEntryWithTags, Vec<FieldError>> {
    let mut fields = FieldErrors::default();
    let restated = registry.restated(tx, &row);
    let member = match restated {
        Some(entry) => Some(entry.member_id),
        None => registry.member(tx, row.member.as_ref(), &mut fields),
    };
    if member.is_some() && member != tx.member() && !tx.may(Permission::TimeEntriesManageAll) {
        let sentence =
            "You need the permission `time_entries:manage_all` to import time entries of other members.";
        fields.add("member_email", "MANAGE_ALL_MISSING", sentence);
    }
    let (project, task) = match restated {
        Some(entry) => (entry.project_id, entry.task_id),
        None => {
            let (project, task) = registry.work(row.project.as_ref(), row.task, &mut fields);
            note(&mut fields, project.map_or(Ok(()), crate::work::projects::refuse_archived));
            (project.map(|project| project.id), task.map(|task| task.id))
        }
    };
    let tags = registry.tags(&row.tags, &mut fields);
    if tags.len() > MOST_TAGS {
        fields.add("tags", "TOO_MANY", format!("A time entry can have at most {MOST_TAGS} tags."));
    }
    let span = Span::new(row.started_at, Some(row.ended_at));
    rules.judge(span, tx.now(), &mut fields);
    note(&mut fields, rules.refuse_locked(span.started_at));
    let (now, billable) = (tx.now(), row.billable);
    match (fields.into_result(), member) {
        (Ok(()), Some(member_id)) => Ok(TimeEntryWithTags {
            tags,
            entry: TimeEntry {
                id: TimeEntryId::new(now),
                organization_id: tx.org(),
                member_id,
                project_id: project,
                task_id: task,
                activity: row.activity.map(Into::into),
                notes: row.notes.map(Into::into),
                started_at: span.started_at,
                ended_at: span.ended_at,
                billable,
                source: Source::Import,
                version: 1,
                deleted_at: None,
                created_at: now,
                updated_at: now,
            },
        }),
        (Err(Error::Invalid(_, faults)), _) => Err(faults),
        _ => Err(Vec::new()),
    }
}

/// Takes in the refusal of a field, whatever its kind.
fn note(fields: &mut FieldErrors, outcome: Result<()>) {
    if let Err(Error::Invalid(_, faults)) = outcome {
        faults.into_iter().for_each(|fault| fields.add(&fault.field, fault.code, fault.message));
    }
}
