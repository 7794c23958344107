//! Writing time down.

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;

use super::{
    Source, TimeEntryWithTags,
    entity::ActiveModel,
    references::{self, ProjectRef, ResolvedReferences},
    refuse_foreign,
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
        audit::{Action, Details},
        db::OrgTx,
    },
    tenancy::members,
    work::projects,
};

/// A stretch of time that somebody worked.
#[derive(Clone, Debug)]
pub struct NewTimeEntry {
    /// Who worked; `None`: the caller.
    pub member: Option<MemberId>,
    /// What on, and what else there is to say.
    pub about: TimeEntryFields,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

/// What is said of time, beside when it was.
#[derive(Clone, Debug, Default)]
pub struct TimeEntryFields {
    /// The project; `None`: that of the task, if there is one.
    pub project: Option<ProjectRef>,
    /// The task.
    pub task: Option<TaskId>,
    /// What kind of work.
    pub activity: Option<Activity>,
    /// What was done.
    pub notes: Option<Notes>,
    /// Is it to be paid for?
    pub billable: bool,
    /// The tags.
    pub tags: Vec<TagId>,
}

/// Writes down that somebody worked.
///
/// # Errors
/// `NOT_A_MEMBER` for an operator of the platform who names nobody; `Forbidden` for the time of others without
/// `time_entries:manage_all`; `VALIDATION_FAILED`; `PERIOD_LOCKED`; `PROJECT_ARCHIVED`; `TIME_ENTRY_OVERLAP`.
pub async fn create(tx: &OrgTx<TimeEntriesCreate>, new: NewTimeEntry) -> Result<TimeEntryWithTags> {
    let member = match new.member {
        Some(member) => member,
        None => tx.own_member()?,
    };
    let span = Span::new(new.started_at, Some(new.ended_at));
    write(tx, member, span, new.about, (Source::Manual, Action::TimeEntryCreated)).await
}

/// Writes down a span of a member, by all rules.
pub(super) async fn write<P: WritePermission>(
    tx: &OrgTx<P>,
    member: MemberId,
    span: Span,
    about: TimeEntryFields,
    (source, action): (Source, Action),
) -> Result<TimeEntryWithTags> {
    refuse_foreign(tx, member).await?;
    let mut fields = FieldErrors::default();
    members::lock_active(tx, member, "member_id", &mut fields).await?;
    if span.ended_at.is_none() && !members::is_active(tx, member).await? {
        // His account was deactivated in this moment, which stopped what was running.
        return Err(ErrorCode::InactiveUser.refuse());
    }
    let rules = Rules::of(tx).await?;
    let work = ResolvedReferences::look_up(tx, about.project, about.task, &mut fields).await?;
    let tags = references::tags(tx, about.tags, &mut fields).await?;
    rules.judge(span, tx.now(), &mut fields);
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
    let shown = TimeEntryWithTags { entry, tags };
    tx.record(action, shown.entry.id, Details::created(shown.facts())).await?;
    Ok(shown)
}
