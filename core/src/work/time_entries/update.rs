//! Saying otherwise.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};

use super::{
    Column, Entity, TimeEntry, TimeEntryWithTags,
    entity::ActiveModel,
    references::{self, ProjectRef, ResolvedReferences, refuse_stray_task},
    refuse_foreign,
    rules::{Rules, Span},
    tag, tags_of, time_entry_tags, visible,
};
use crate::{
    Result,
    base::{
        error::FieldErrors,
        ids::{TagId, TaskId, TimeEntryId},
        permissions::{TimeEntriesUpdate, WritePermission},
        text::{Activity, Notes},
    },
    storage::{
        audit::{Action, Details},
        db::{Expected, OrgTx},
    },
    tenancy::members,
    work::projects::{self, Project},
};

/// What is to change; `None` leaves a field as it is, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct TimeEntryChanges {
    /// The project.
    pub project: Option<Option<ProjectRef>>,
    /// The task.
    pub task: Option<Option<TaskId>>,
    /// What kind of work.
    pub activity: Option<Option<Activity>>,
    /// What was done.
    pub notes: Option<Option<Notes>>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended; ends what is running.
    pub ended_at: Option<DateTime<Utc>>,
    /// Is it to be paid for?
    pub billable: Option<bool>,
    /// All its tags.
    pub tags: Option<Vec<TagId>>,
}

/// Changes an entry. A change that changes nothing leaves no trace.
///
/// # Errors
/// `NotFound`; `Forbidden` for the time of others without `time_entries:manage_all`; `PRECONDITION_FAILED` when `expected` is
/// not its version; `VALIDATION_FAILED`; `PERIOD_LOCKED` where it began, or would begin, in a period that is locked;
/// `PROJECT_ARCHIVED` where it moves to such a project; `TIME_ENTRY_OVERLAP`.
pub async fn update(
    tx: &OrgTx<TimeEntriesUpdate>,
    id: TimeEntryId,
    changes: TimeEntryChanges,
    expected: &Expected,
) -> Result<TimeEntryWithTags> {
    let before = held(tx, id).await?;
    expected.check(&before.entry.version)?;
    let rules = Rules::of(tx).await?;
    let mut fields = FieldErrors::default();
    let mut after = before.clone();
    let moved = place(tx, &mut after.entry, changes.project, changes.task, &mut fields).await?;
    if let Some(tags) = changes.tags {
        after.tags = references::tags(tx, tags, &mut fields).await?;
    }
    if let Some(activity) = changes.activity {
        after.entry.activity = activity.map(Into::into);
    }
    if let Some(notes) = changes.notes {
        after.entry.notes = notes.map(Into::into);
    }
    after.entry.billable = changes.billable.unwrap_or(before.entry.billable);
    let was = Span { started_at: before.entry.started_at, ended_at: before.entry.ended_at };
    let span = Span::new(changes.started_at.unwrap_or(was.started_at), changes.ended_at.or(was.ended_at));
    (after.entry.started_at, after.entry.ended_at) = (span.started_at, span.ended_at);
    // What was settled since then does not forbid to correct the notes of what is long over.
    if span != was {
        rules.judge(span, tx.now(), &mut fields);
    }
    fields.into_result()?;
    if after == before {
        return Ok(before);
    }
    rules.refuse_locked(was.started_at)?;
    rules.refuse_locked(span.started_at)?;
    moved.as_ref().map_or(Ok(()), projects::refuse_archived)?;
    if span != was {
        rules.refuse_overlap(tx, before.entry.member_id, span, Some(id)).await?;
    }
    store(tx, &before, after).await
}

/// An entry that the caller may change, its member locked: so it stays as it is read here.
pub(super) async fn held<P: WritePermission>(tx: &OrgTx<P>, id: TimeEntryId) -> Result<TimeEntryWithTags> {
    let seen = || Ok::<_, crate::Error>(tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)?));
    let member = seen()?.one().await?.member_id;
    refuse_foreign(tx, member).await?;
    members::lock_one(tx, member).await?;
    let entry = seen()?.one().await?;
    let tags = tags_of(tx, [id]).await?.remove(&id).unwrap_or_default();
    Ok(TimeEntryWithTags { entry, tags })
}

/// Puts the entry where the change says; gives the project where it is another one.
async fn place<P: WritePermission>(
    tx: &OrgTx<P>,
    entry: &mut TimeEntry,
    project: Option<Option<ProjectRef>>,
    task: Option<Option<TaskId>>,
    fields: &mut FieldErrors,
) -> Result<Option<Project>> {
    let (was, names_project, names_task) = (entry.project_id, project.is_some(), task.is_some());
    let work = ResolvedReferences::look_up(tx, project.flatten(), task.flatten(), fields).await?;
    // What is not named stays, seen or not; but an entry without a project takes that of its task.
    if names_project || (names_task && was.is_none()) {
        entry.project_id = work.project.as_ref().map(|project| project.id);
    }
    if names_task {
        entry.task_id = work.task.as_ref().map(|task| task.id);
    }
    let strays = match &work.task {
        // Of two that are named it is found out where they are looked up.
        Some(task) => !names_project && task.project_id != entry.project_id,
        None => !names_task && entry.task_id.is_some() && entry.project_id != was,
    };
    if strays {
        refuse_stray_task(fields);
    }
    Ok(work.project.filter(|project| Some(project.id) != was))
}

/// The tags of `these` that are not among `those`.
fn apart(these: &[TagId], those: &[TagId]) -> Vec<TagId> {
    these.iter().filter(|tag| !those.contains(tag)).copied().collect()
}

async fn store<P: WritePermission>(
    tx: &OrgTx<P>,
    before: &TimeEntryWithTags,
    after: TimeEntryWithTags,
) -> Result<TimeEntryWithTags> {
    let id = before.entry.id;
    // What stays is left alone: whoever deletes such a tag at the same time is waited for by nobody.
    let (gone, new) = (apart(&before.tags, &after.tags), apart(&after.tags, &before.tags));
    if !gone.is_empty() {
        let its = Condition::all().add(time_entry_tags::Column::TimeEntryId.eq(id));
        tx.delete::<time_entry_tags::Entity>(its.add(time_entry_tags::Column::TagId.is_in(gone))).await?;
    }
    tag(tx, id, &new).await?;
    let entry = after.entry;
    let entry = tx
        .update(ActiveModel {
            id: Set(id),
            project_id: Set(entry.project_id),
            task_id: Set(entry.task_id),
            activity: Set(entry.activity),
            notes: Set(entry.notes),
            started_at: Set(entry.started_at),
            ended_at: Set(entry.ended_at),
            billable: Set(entry.billable),
            version: Set(before.entry.version + 1),
            updated_at: Set(tx.now()),
            ..Default::default()
        })
        .await?;
    let after = TimeEntryWithTags { entry, tags: after.tags };
    let details = Details::changed(before.facts(), after.facts());
    tx.record(Action::TimeEntryUpdated, id, details).await?;
    Ok(after)
}
