//! Request and response bodies of time entries.

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{Error, FieldErrors},
        ids::{MemberId, ProjectId, TagId, TaskId},
        text,
    },
    work::time_entries::{
        self, NewTimeEntry, NewTimer, ProjectRef, TimeEntryChanges, TimeEntryFields, TimeEntryWithTags,
    },
};
use poem_openapi::{Enum, Object, types::MaybeUndefined};
use serde::Serialize;
use uuid::Uuid;

use crate::{body::parse_change, http::ProjectCode};

crate::texts! {
    /// Kind of work, on one line.
    Activity { length: 1..=text::Activity::MAX, pattern: text::NOT_BLANK_PATTERN, example: "Design" }
    /// Notes about the work. They can have several lines.
    Notes { length: 1..=text::Notes::MAX, example: "Drew the store and the mill" }
}

/// How a time entry was created: `manual` (entered by a user), `timer` (by the timer) or `import` (imported
/// from a file).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "TimeEntrySource")]
#[serde(rename_all = "snake_case")]
enum Source {
    /// Entered by a user.
    Manual,
    /// Created by the timer.
    Timer,
    /// Imported from a file.
    Import,
}

/// A time entry: a period in which a member worked.
#[derive(Object, Serialize)]
pub(in crate::routes) struct TimeEntry {
    /// Id of the time entry.
    pub(super) id: Uuid,
    /// The organization it belongs to.
    pub(super) organization_id: Uuid,
    /// The member who worked.
    member_id: Uuid,
    /// The project. `null`: no project.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// The task. `null`: no task.
    #[oai(nullable)]
    task_id: Option<Uuid>,
    /// Kind of work. `null`: not specified.
    #[oai(nullable)]
    activity: Option<Activity>,
    /// Notes about the work. `null`: no notes.
    #[oai(nullable)]
    notes: Option<Notes>,
    /// When the work started.
    started_at: DateTime<Utc>,
    /// When the work ended. `null`: still running.
    #[oai(nullable)]
    ended_at: Option<DateTime<Utc>>,
    /// Duration in seconds. `null`: still running.
    #[oai(nullable)]
    duration_seconds: Option<i64>,
    /// Whether the time is billable.
    billable: bool,
    /// Ids of its tags, at most 20.
    tags: Vec<Uuid>,
    /// How the time entry was created.
    source: Source,
    /// Version number, which is also the `ETag`. Every change increases it.
    pub(super) version: i64,
    /// When the time entry was created.
    created_at: DateTime<Utc>,
    /// When the time entry was last changed.
    updated_at: DateTime<Utc>,
    /// When the time entry was deleted. `null`: not deleted.
    #[oai(nullable)]
    deleted_at: Option<DateTime<Utc>>,
}

/// A time entry to create.
#[derive(Object)]
pub(super) struct TimeEntryCreate {
    /// The member who worked. Defaults to yourself. Other members need `time_entries:manage_all`.
    member_id: Option<Uuid>,
    /// The project. Defaults to the project of the task, if you name a task.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// Code of the project, instead of its id. Send only one of the two.
    project_code: Option<ProjectCode>,
    /// The task. `null`: no task.
    #[oai(nullable)]
    task_id: Option<Uuid>,
    /// Kind of work. `null`: not specified.
    #[oai(nullable)]
    activity: Option<Activity>,
    /// Notes about the work. `null`: no notes.
    #[oai(nullable)]
    notes: Option<Notes>,
    /// When the work started. Fractions of a second are cut off.
    started_at: DateTime<Utc>,
    /// When the work ended. Fractions of a second are cut off.
    ended_at: DateTime<Utc>,
    /// Whether the time is billable.
    #[oai(default)]
    billable: bool,
    /// Ids of its tags, at most 20.
    #[oai(default, validator(max_items = 20, unique_items))]
    tags: Vec<Uuid>,
}

/// A timer to start.
#[derive(Object)]
pub(super) struct TimerStart {
    /// The project. Defaults to the project of the task, if you name a task.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// Code of the project, instead of its id. Send only one of the two.
    project_code: Option<ProjectCode>,
    /// The task. `null`: no task.
    #[oai(nullable)]
    task_id: Option<Uuid>,
    /// Kind of work. `null` or absent: not specified.
    #[oai(nullable)]
    activity: Option<Activity>,
    /// Notes about the work. `null` or absent: no notes.
    #[oai(nullable)]
    notes: Option<Notes>,
    /// When the work started. Defaults to now. Fractions of a second are cut off.
    started_at: Option<DateTime<Utc>>,
    /// Whether the time is billable.
    #[oai(default)]
    billable: bool,
    /// Ids of its tags, at most 20.
    #[oai(default, validator(max_items = 20, unique_items))]
    tags: Vec<Uuid>,
}

/// Changes to a time entry. Absent fields stay unchanged; `null` clears a field.
#[derive(Object)]
pub(super) struct TimeEntryUpdate {
    /// The project. `null` removes it.
    #[oai(nullable)]
    project_id: MaybeUndefined<Uuid>,
    /// Code of the project, instead of its id. Send only one of the two.
    project_code: Option<ProjectCode>,
    /// The task. `null` removes it.
    #[oai(nullable)]
    task_id: MaybeUndefined<Uuid>,
    /// Kind of work. `null` removes it.
    #[oai(nullable)]
    activity: MaybeUndefined<Activity>,
    /// Notes about the work. `null` removes them.
    #[oai(nullable)]
    notes: MaybeUndefined<Notes>,
    /// When the work started.
    started_at: Option<DateTime<Utc>>,
    /// When the work ended. Setting it ends a running entry.
    ended_at: Option<DateTime<Utc>>,
    /// Whether the time is billable.
    billable: Option<bool>,
    /// Ids of all its tags, at most 20. They replace the present tags.
    #[oai(validator(max_items = 20, unique_items))]
    tags: Option<Vec<Uuid>>,
}

/// The project that a request names by its id or by its code. It is an error to send both.
fn project(
    id: MaybeUndefined<Uuid>,
    code: Option<ProjectCode>,
    fields: &mut FieldErrors,
) -> Option<Option<ProjectRef>> {
    let code = fields.parse_optional("project_code", code.map(|code| text::ProjectCode::parse(&code.0)));
    match (id, code) {
        (MaybeUndefined::Undefined, None) => None,
        (MaybeUndefined::Undefined, Some(code)) => Some(Some(ProjectRef::Code(code))),
        (MaybeUndefined::Null, None) => Some(None),
        (MaybeUndefined::Value(id), None) => Some(Some(ProjectRef::Id(ProjectId(id)))),
        (_, Some(_)) => {
            fields.add("project_code", "AMBIGUOUS", "Name the project by its id or its code, not both.");
            None
        }
    }
}

fn given(id: Option<Uuid>) -> MaybeUndefined<Uuid> {
    id.map_or(MaybeUndefined::Undefined, MaybeUndefined::Value)
}

fn tags(tags: Vec<Uuid>) -> Vec<TagId> {
    tags.into_iter().map(TagId).collect()
}

/// Parses the fields that `TimeEntryCreate` and `TimerStart` have in common.
macro_rules! about {
    ($draft:ident, $fields:ident) => {{
        let project = project(given($draft.project_id), $draft.project_code, &mut $fields).flatten();
        let activity = $draft.activity.map(|activity| text::Activity::parse(&activity.0));
        TimeEntryFields {
            project,
            task: $draft.task_id.map(TaskId),
            activity: $fields.parse_optional("activity", activity),
            notes: $fields.parse_optional("notes", $draft.notes.map(|notes| text::Notes::parse(&notes.0))),
            billable: $draft.billable,
            tags: tags($draft.tags),
        }
    }};
}

impl TryFrom<TimeEntryCreate> for NewTimeEntry {
    type Error = Error;

    fn try_from(draft: TimeEntryCreate) -> Result<Self, Error> {
        let mut fields = FieldErrors::default();
        let about = about!(draft, fields);
        fields.into_result()?;
        let member = draft.member_id.map(MemberId);
        Ok(Self { member, about, started_at: draft.started_at, ended_at: draft.ended_at })
    }
}

impl TryFrom<TimerStart> for NewTimer {
    type Error = Error;

    fn try_from(draft: TimerStart) -> Result<Self, Error> {
        let mut fields = FieldErrors::default();
        let about = about!(draft, fields);
        fields.into_result()?;
        Ok(Self { about, started_at: draft.started_at, switch: false })
    }
}

impl TryFrom<TimeEntryUpdate> for TimeEntryChanges {
    type Error = Error;

    fn try_from(patch: TimeEntryUpdate) -> Result<Self, Error> {
        let mut fields = FieldErrors::default();
        let changes = Self {
            project: project(patch.project_id, patch.project_code, &mut fields),
            task: parse_change(&mut fields, "task_id", patch.task_id, |id| Ok(TaskId(id))),
            activity: parse_change(&mut fields, "activity", patch.activity, |it| {
                text::Activity::parse(&it.0)
            }),
            notes: parse_change(&mut fields, "notes", patch.notes, |it| text::Notes::parse(&it.0)),
            started_at: patch.started_at,
            ended_at: patch.ended_at,
            billable: patch.billable,
            tags: patch.tags.map(tags),
        };
        fields.into_result()?;
        Ok(changes)
    }
}

impl From<TimeEntryWithTags> for TimeEntry {
    fn from(TimeEntryWithTags { entry, tags }: TimeEntryWithTags) -> Self {
        let source = match entry.source {
            time_entries::EntrySource::Manual => Source::Manual,
            time_entries::EntrySource::Timer => Source::Timer,
            time_entries::EntrySource::Import => Source::Import,
        };
        Self {
            id: entry.id.0,
            organization_id: entry.organization_id.0,
            member_id: entry.member_id.0,
            project_id: entry.project_id.map(|project| project.0),
            task_id: entry.task_id.map(|task| task.0),
            activity: entry.activity.map(Activity),
            notes: entry.notes.map(Notes),
            started_at: entry.started_at,
            ended_at: entry.ended_at,
            duration_seconds: entry.ended_at.map(|ended_at| (ended_at - entry.started_at).num_seconds()),
            billable: entry.billable,
            tags: tags.into_iter().map(|tag| tag.0).collect(),
            source,
            version: entry.version,
            created_at: entry.created_at,
            updated_at: entry.updated_at,
            deleted_at: entry.deleted_at,
        }
    }
}
