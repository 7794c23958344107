//! Time as the wire shows it, and takes it.

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

use crate::http::ProjectCode;

crate::texts! {
    /// What kind of work it was.
    Activity { length: 1..=text::Activity::MAX, pattern: text::NOT_BLANK_PATTERN, example: "Design" }
    /// What was done.
    Notes { length: 1..=text::Notes::MAX, example: "Drew the store and the mill" }
}

/// How an entry came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "TimeEntrySource")]
#[serde(rename_all = "snake_case")]
enum Source {
    /// Somebody wrote it down.
    Manual,
    /// A timer ran.
    Timer,
    /// It was imported.
    Import,
}

/// A stretch of time that a member worked.
#[derive(Object, Serialize)]
pub(in crate::routes) struct TimeEntry {
    /// The entry.
    pub(super) id: Uuid,
    /// Whose.
    pub(super) organization_id: Uuid,
    /// Who worked.
    member_id: Uuid,
    /// On which project.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// On which task.
    #[oai(nullable)]
    task_id: Option<Uuid>,
    /// What kind of work it was.
    #[oai(nullable)]
    activity: Option<Activity>,
    /// What was done.
    #[oai(nullable)]
    notes: Option<Notes>,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it ended; `null`: it is running.
    #[oai(nullable)]
    ended_at: Option<DateTime<Utc>>,
    /// How long it took, in seconds; `null` while it is running.
    #[oai(nullable)]
    duration_seconds: Option<i64>,
    /// Is it to be paid for?
    billable: bool,
    /// Its tags, by their ids.
    tags: Vec<Uuid>,
    /// How it came to be.
    source: Source,
    /// Counts its changes; the `ETag`.
    pub(super) version: i64,
    /// When it was written down.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// Time that somebody worked.
#[derive(Object)]
pub(super) struct TimeEntryCreate {
    /// Who worked; left out: the caller. Of others it needs `time_entries:manage_all`.
    member_id: Option<Uuid>,
    /// On which project; left out: on that of the task, if one is named.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// The project by its code, instead of its id.
    project_code: Option<ProjectCode>,
    /// On which task.
    #[oai(nullable)]
    task_id: Option<Uuid>,
    /// What kind of work it was.
    #[oai(nullable)]
    activity: Option<Activity>,
    /// What was done.
    #[oai(nullable)]
    notes: Option<Notes>,
    /// When it began; fractions of a second are cut off.
    started_at: DateTime<Utc>,
    /// When it ended.
    ended_at: DateTime<Utc>,
    /// Is it to be paid for?
    #[oai(default)]
    billable: bool,
    /// Its tags, by their ids.
    #[oai(default, validator(max_items = 20, unique_items))]
    tags: Vec<Uuid>,
}

/// Work that begins.
#[derive(Object)]
pub(super) struct TimerStart {
    /// On which project; left out: on that of the task, if one is named.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// The project by its code, instead of its id.
    project_code: Option<ProjectCode>,
    /// On which task.
    #[oai(nullable)]
    task_id: Option<Uuid>,
    /// What kind of work it is.
    #[oai(nullable)]
    activity: Option<Activity>,
    /// What is done.
    #[oai(nullable)]
    notes: Option<Notes>,
    /// When it began; left out: now.
    started_at: Option<DateTime<Utc>>,
    /// Is it to be paid for?
    #[oai(default)]
    billable: bool,
    /// Its tags, by their ids.
    #[oai(default, validator(max_items = 20, unique_items))]
    tags: Vec<Uuid>,
}

/// What is to change: absent is unchanged, `null` is cleared.
#[derive(Object)]
pub(super) struct TimeEntryUpdate {
    /// On which project.
    #[oai(nullable)]
    project_id: MaybeUndefined<Uuid>,
    /// The project by its code, instead of its id.
    project_code: Option<ProjectCode>,
    /// On which task.
    #[oai(nullable)]
    task_id: MaybeUndefined<Uuid>,
    /// What kind of work it was.
    #[oai(nullable)]
    activity: MaybeUndefined<Activity>,
    /// What was done.
    #[oai(nullable)]
    notes: MaybeUndefined<Notes>,
    /// When it began.
    started_at: Option<DateTime<Utc>>,
    /// When it ended; ends what is running.
    ended_at: Option<DateTime<Utc>>,
    /// Is it to be paid for?
    billable: Option<bool>,
    /// All its tags, by their ids.
    #[oai(validator(max_items = 20, unique_items))]
    tags: Option<Vec<Uuid>>,
}

/// A project is named once: by its id or by its code.
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

fn change<T, U>(given: MaybeUndefined<T>, change: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
    match given {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => change(value).map(Some),
    }
}

/// What a draft says of time, whichever it is: they have these members in common.
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
        Ok(Self { about, started_at: draft.started_at })
    }
}

impl TryFrom<TimeEntryUpdate> for TimeEntryChanges {
    type Error = Error;

    fn try_from(patch: TimeEntryUpdate) -> Result<Self, Error> {
        let mut fields = FieldErrors::default();
        let changes = Self {
            project: project(patch.project_id, patch.project_code, &mut fields),
            task: change(patch.task_id, |task| Some(TaskId(task))),
            activity: change(patch.activity, |it| fields.parse("activity", text::Activity::parse(&it.0))),
            notes: change(patch.notes, |it| fields.parse("notes", text::Notes::parse(&it.0))),
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
            time_entries::Source::Manual => Source::Manual,
            time_entries::Source::Timer => Source::Timer,
            time_entries::Source::Import => Source::Import,
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
        }
    }
}
