//! Create time entries.

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;

use super::{
    EntrySource, TimeEntryWithTags,
    entity::ActiveModel,
    references::{self, ProjectRef, ResolvedReferences},
    require_own,
    rules::{Rules, Span},
    tag,
};
use crate::{
    Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::{MemberId, TagId, TaskId, TimeEntryId},
        permissions::{TimeEntriesCreate, WritePermission},
        text::{Activity, Notes},
    },
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
    tenancy::members,
    work::projects,
};

/// A new time entry.
#[derive(Clone, Debug)]
pub struct NewTimeEntry {
    /// `None`: the caller.
    pub member: Option<MemberId>,
    /// The other fields.
    pub about: TimeEntryFields,
    /// When the work started.
    pub started_at: DateTime<Utc>,
    /// When it ended; exclusive.
    pub ended_at: DateTime<Utc>,
}

/// The fields that a new time entry and a new timer have in common.
#[derive(Clone, Debug, Default)]
pub struct TimeEntryFields {
    /// `None`: the project of the task, if any.
    pub project: Option<ProjectRef>,
    /// `None` without a task.
    pub task: Option<TaskId>,
    /// Kind of work.
    pub activity: Option<Activity>,
    /// May have several lines.
    pub notes: Option<Notes>,
    /// Whether it is billable.
    pub billable: bool,
    /// The tags of the entry, without duplicates.
    pub tags: Vec<TagId>,
}

/// Creates a time entry.
///
/// # Errors
/// `NOT_A_MEMBER` for a superuser who names no member; `Forbidden` for entries of others without
/// `time_entries:manage_all`; `VALIDATION_FAILED`; `PERIOD_LOCKED`; `PROJECT_ARCHIVED`; `TIME_ENTRY_OVERLAP`.
pub async fn create(tx: &OrgTx<TimeEntriesCreate>, new: NewTimeEntry) -> Result<TimeEntryWithTags> {
    let member = match new.member {
        Some(member) => member,
        None => tx.own_member()?,
    };
    let span = Span::new(new.started_at, Some(new.ended_at));
    write(tx, member, span, new.about, (EntrySource::Manual, Action::TimeEntryCreated)).await
}

/// Checks all rules and inserts an entry of a member.
pub(super) async fn write<P: WritePermission>(
    tx: &OrgTx<P>,
    member: MemberId,
    span: Span,
    about: TimeEntryFields,
    (source, action): (EntrySource, Action),
) -> Result<TimeEntryWithTags> {
    require_own(tx, member).await?;
    let mut fields = FieldErrors::default();
    members::lock_active(tx, member, "member_id", &mut fields).await?;
    if span.ended_at.is_none() && !members::is_active(tx, member).await? {
        // The account was deactivated at this moment, which stopped its timers.
        return Err(ErrorCode::InactiveUser.refuse());
    }
    let rules = Rules::of(tx).await?;
    let work = ResolvedReferences::resolve(tx, about.project, about.task, &mut fields).await?;
    let tags = references::tags(tx, about.tags, &mut fields).await?;
    rules.validate(span, tx.now(), &mut fields);
    fields.into_result()?;
    rules.refuse_locked(span.started_at)?;
    work.project.as_ref().map_or(Ok(()), projects::refuse_archived)?;
    rules.refuse_overlap(tx, member, span, None).await?;
    let now = tx.now();
    let entry = tx
        .insert(ActiveModel {
            id: Set(TimeEntryId::new(now)),
            member_id: Set(member),
            project_id: Set(work.project.map(|project| project.id)),
            task_id: Set(work.task.map(|task| task.id)),
            activity: Set(about.activity.map(Into::into)),
            notes: Set(about.notes.map(Into::into)),
            started_at: Set(span.started_at),
            ended_at: Set(span.ended_at),
            billable: Set(about.billable),
            source: Set(source),
            version: Set(1),
            deleted_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .await?;
    tag(tx, entry.id, &tags).await?;
    let entry_with_tags = TimeEntryWithTags { entry, tags };
    tx.record(action, entry_with_tags.entry.id, EventDetails::created(entry_with_tags.facts())).await?;
    Ok(entry_with_tags)
}
