//! Import many time entries at once: all of them or none.

mod overlaps;
mod references;
mod unchanged_rows;

use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::{
    Entity, EntrySource, MOST_TAGS, TimeEntry, TimeEntryWithTags, entity,
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
        audit::{Action, EventDetails},
        db::OrgTx,
    },
};
use chrono::{DateTime, Utc};
use references::ImportReferences;
use sea_orm::ActiveValue::Set;

/// Maximum entries of one import.
pub const MOST_ROWS: usize = 10_000;

/// Rows per statement.
const BATCH: usize = 500;

/// A member in a file.
#[derive(Clone, Debug)]
pub enum ImportMemberRef {
    /// By the id of the member.
    Id(MemberId),
    /// E-mail address.
    Email(EmailAddress),
}

/// One row of a file.
#[derive(Clone, Debug)]
pub struct ImportedEntry {
    /// Number of the row, from 1.
    pub row: usize,
    /// The entry that the row was exported from; `None` for other files. The row creates a new entry anyway.
    pub id: Option<TimeEntryId>,
    /// `None`: the caller.
    pub member: Option<ImportMemberRef>,
    /// `None`: the project of the task, if any.
    pub project: Option<ProjectRef>,
    /// `None` without a task.
    pub task: Option<TaskId>,
    /// Kind of work.
    pub activity: Option<Activity>,
    /// May have several lines.
    pub notes: Option<Notes>,
    /// When the work started.
    pub started_at: DateTime<Utc>,
    /// When it ended; exclusive.
    pub ended_at: DateTime<Utc>,
    /// Whether it is billable.
    pub billable: bool,
    /// Names of tags.
    pub tags: Vec<TagName>,
}

/// An error in one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// Number of the row, from 1.
    pub row: usize,
    /// The column and the error.
    pub fault: FieldError,
}

/// The result of the checks: entries that can be written, and errors.
#[must_use]
pub struct Import {
    valid: Vec<TimeEntryWithTags>,
    /// In the order of the rows, at most [`MAX_FIELD_ERRORS`].
    pub faults: Vec<RowError>,
}

impl Import {
    /// Checks every row separately, and all rows together. Locks the members, so the result is valid until the
    /// transaction ends.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn examine(tx: &OrgTx<TimeEntriesCreate>, rows: Vec<ImportedEntry>) -> Result<Self> {
        let references = ImportReferences::of(tx, &rows).await?;
        let rules = Rules::of(tx).await?;
        let (mut valid, mut faults, mut row_numbers) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let number = row.row;
            match check_row(tx, &references, &rules, row) {
                Ok(entry) => {
                    row_numbers.push(number);
                    valid.push(entry);
                }
                // Further errors would not be reported.
                Err(_) if faults.len() >= MAX_FIELD_ERRORS => {}
                Err(wrong) => faults.extend(wrong.into_iter().map(|fault| RowError { row: number, fault })),
            }
        }
        for index in overlaps::find(tx, &rules, &valid).await? {
            let code = ErrorCode::TimeEntryOverlap;
            let (field, message) = ("started_at".to_owned(), code.sentence().to_owned());
            let fault = FieldError { field, code: code.as_str(), message };
            faults.push(RowError { row: row_numbers[index], fault });
        }
        faults.sort_by_key(|fault| fault.row);
        faults.truncate(MAX_FIELD_ERRORS);
        Ok(Self { valid, faults })
    }

    /// Creates all entries, each with an audit event. Returns their number.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` naming every invalid row, such as `rows[7].project_code`.
    pub async fn write(self, tx: &OrgTx<TimeEntriesCreate>) -> Result<usize> {
        if !self.faults.is_empty() {
            let named = self.faults.into_iter().map(|RowError { row, fault }| FieldError {
                field: format!("rows[{row}].{}", fault.field),
                ..fault
            });
            return Err(Error::Invalid(ErrorCode::ValidationFailed, named.collect()));
        }
        for batch in self.valid.chunks(BATCH) {
            let rows = batch.iter().map(|entry| entry.entry.clone().into_active_model().reset_all());
            tx.insert_many::<entity::ActiveModel>(rows.collect()).await?;
            let links: Vec<_> = batch.iter().flat_map(|entry| links(tx, entry)).collect();
            tx.insert_many(links).await?;
            let events = batch.iter().map(|entry| (entry.entry.id, EventDetails::created(entry.facts())));
            tx.record_each(Action::TimeEntryImported, events.collect()).await?;
        }
        Ok(self.valid.len())
    }
}

fn links(tx: &OrgTx<TimeEntriesCreate>, entry: &TimeEntryWithTags) -> Vec<time_entry_tags::ActiveModel> {
    let link = |tag: &crate::base::ids::TagId| time_entry_tags::ActiveModel {
        id: Set(TimeEntryTagId::new(tx.now())),
        time_entry_id: Set(entry.entry.id),
        tag_id: Set(*tag),
        created_at: Set(tx.now()),
        ..Default::default()
    };
    entry.tags.iter().map(link).collect()
}

/// Returns the entry of a row, or all its errors.
fn check_row(
    tx: &OrgTx<TimeEntriesCreate>,
    references: &ImportReferences,
    rules: &Rules,
    row: ImportedEntry,
) -> Result<TimeEntryWithTags, Vec<FieldError>> {
    let mut fields = FieldErrors::default();
    let unchanged = references.unchanged(tx, &row);
    let member = match unchanged {
        Some(entry) => Some(entry.member_id),
        None => references.member(tx, row.member.as_ref(), &mut fields),
    };
    if member.is_some() && member != tx.member() && !tx.may(Permission::TimeEntriesManageAll) {
        let sentence =
            "You need the permission “time_entries:manage_all” to import time entries of other members.";
        fields.add("member_email", "MANAGE_ALL_MISSING", sentence);
    }
    let (project, task) = match unchanged {
        Some(entry) => (entry.project_id, entry.task_id),
        None => {
            let (project, task) = references.work(row.project.as_ref(), row.task, &mut fields);
            add_errors(&mut fields, project.map_or(Ok(()), crate::work::projects::refuse_archived));
            (project.map(|project| project.id), task.map(|task| task.id))
        }
    };
    let tags = references.tags(&row.tags, &mut fields);
    if tags.len() > MOST_TAGS {
        fields.add("tags", "TOO_MANY", format!("A time entry can have at most {MOST_TAGS} tags."));
    }
    let span = Span::new(row.started_at, Some(row.ended_at));
    rules.validate(span, tx.now(), &mut fields);
    add_errors(&mut fields, rules.refuse_locked(span.started_at));
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
                source: EntrySource::Import,
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

/// Adds the field errors of another check.
fn add_errors(fields: &mut FieldErrors, outcome: Result<()>) {
    if let Err(Error::Invalid(_, faults)) = outcome {
        faults.into_iter().for_each(|fault| fields.add(&fault.field, fault.code, fault.message));
    }
}
