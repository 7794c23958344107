//! Update time entries.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};

use super::{
    Column, Entity, TimeEntry, TimeEntryWithTags,
    entity::ActiveModel,
    references::{self, ProjectRef, ResolvedReferences, add_wrong_project_error},
    require_own,
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
        audit::{Action, EventDetails},
        db::{ExpectedVersion, OrgTx},
    },
    tenancy::members,
    work::projects::{self, Project},
};

/// The changes; `None` keeps a field, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct TimeEntryChanges {
    /// `None` keeps it, `Some(None)` clears it.
    pub project: Option<Option<ProjectRef>>,
    /// `None` keeps it, `Some(None)` clears it.
    pub task: Option<Option<TaskId>>,
    /// Kind of work.
    pub activity: Option<Option<Activity>>,
    /// `None` keeps them, `Some(None)` clears them.
    pub notes: Option<Option<Notes>>,
    /// `None` keeps it.
    pub started_at: Option<DateTime<Utc>>,
    /// Ends a running entry.
    pub ended_at: Option<DateTime<Utc>>,
    /// `None` keeps it.
    pub billable: Option<bool>,
    /// All tags.
    pub tags: Option<Vec<TagId>>,
}

/// Updates an entry. A change without effect creates neither a new version nor an audit event.
///
/// # Errors
/// `NotFound`; `Forbidden` for entries of others without `time_entries:manage_all`; `PRECONDITION_FAILED` when
/// `expected` is not its version; `VALIDATION_FAILED`; `PERIOD_LOCKED` if its old or new start is in a locked period;
/// `PROJECT_ARCHIVED` if it moves to an archived project; `TIME_ENTRY_OVERLAP`.
pub async fn update(
    tx: &OrgTx<TimeEntriesUpdate>,
    id: TimeEntryId,
    changes: TimeEntryChanges,
    expected: &ExpectedVersion,
) -> Result<TimeEntryWithTags> {
    let before = lock_own(tx, id).await?;
    expected.check(&before.entry.version)?;
    let rules = Rules::of(tx).await?;
    let mut fields = FieldErrors::default();
    let mut after = before.clone();
    let moved = set_references(tx, &mut after.entry, changes.project, changes.task, &mut fields).await?;
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
    let old = Span { started_at: before.entry.started_at, ended_at: before.entry.ended_at };
    let span = Span::new(changes.started_at.unwrap_or(old.started_at), changes.ended_at.or(old.ended_at));
    (after.entry.started_at, after.entry.ended_at) = (span.started_at, span.ended_at);
    // Settings that changed since then do not prevent a correction of the notes of an old entry.
    if span != old {
        rules.validate(span, tx.now(), &mut fields);
    }
    fields.into_result()?;
    if after == before {
        return Ok(before);
    }
    rules.refuse_locked(old.started_at)?;
    rules.refuse_locked(span.started_at)?;
    moved.as_ref().map_or(Ok(()), projects::refuse_archived)?;
    if span != old {
        rules.refuse_overlap(tx, before.entry.member_id, span, Some(id)).await?;
    }
    store(tx, &before, after).await
}

/// Gets an entry that the caller can change, and locks its member, so that it cannot change before the transaction
/// ends.
pub(super) async fn lock_own<P: WritePermission>(
    tx: &OrgTx<P>,
    id: TimeEntryId,
) -> Result<TimeEntryWithTags> {
    let visible_entry =
        || Ok::<_, crate::Error>(tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)?));
    let member = visible_entry()?.one().await?.member_id;
    require_own(tx, member).await?;
    members::lock_one(tx, member).await?;
    let entry = visible_entry()?.one().await?;
    let tags = tags_of(tx, [id]).await?.remove(&id).unwrap_or_default();
    Ok(TimeEntryWithTags { entry, tags })
}

/// Sets the project and the task. Returns the project if it changed.
async fn set_references<P: WritePermission>(
    tx: &OrgTx<P>,
    entry: &mut TimeEntry,
    project: Option<Option<ProjectRef>>,
    task: Option<Option<TaskId>>,
    fields: &mut FieldErrors,
) -> Result<Option<Project>> {
    let (old, names_project, names_task) = (entry.project_id, project.is_some(), task.is_some());
    let work = ResolvedReferences::resolve(tx, project.flatten(), task.flatten(), fields).await?;
    // A reference that is not in the body stays, visible or not. An entry without a project gets the project of its
    // task.
    if names_project || (names_task && old.is_none()) {
        entry.project_id = work.project.as_ref().map(|project| project.id);
    }
    if names_task {
        entry.task_id = work.task.as_ref().map(|task| task.id);
    }
    let is_wrong_project = match &work.task {
        // If the body names both, `ResolvedReferences` has compared them.
        Some(task) => !names_project && task.project_id != entry.project_id,
        None => !names_task && entry.task_id.is_some() && entry.project_id != old,
    };
    if is_wrong_project {
        add_wrong_project_error(fields);
    }
    Ok(work.project.filter(|project| Some(project.id) != old))
}

/// The tags of `these` that are not in `those`.
fn difference(these: &[TagId], those: &[TagId]) -> Vec<TagId> {
    these.iter().filter(|tag| !those.contains(tag)).copied().collect()
}

async fn store<P: WritePermission>(
    tx: &OrgTx<P>,
    before: &TimeEntryWithTags,
    after: TimeEntryWithTags,
) -> Result<TimeEntryWithTags> {
    let id = before.entry.id;
    // Unchanged tags are not written, so that a concurrent deletion of such a tag does not block this update.
    let (removed, new) = (difference(&before.tags, &after.tags), difference(&after.tags, &before.tags));
    if !removed.is_empty() {
        let links = Condition::all().add(time_entry_tags::Column::TimeEntryId.eq(id));
        tx.delete::<time_entry_tags::Entity>(links.add(time_entry_tags::Column::TagId.is_in(removed)))
            .await?;
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
    let details = EventDetails::changed(before.facts(), after.facts());
    tx.record(Action::TimeEntryUpdated, id, details).await?;
    Ok(after)
}
