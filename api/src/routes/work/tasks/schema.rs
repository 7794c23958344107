//! How tasks look on the wire.

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{Error, ErrorCode, FieldErrors},
        ids::{MemberId, ProjectId, TagId},
        text,
    },
    work::tasks::{self, NewTask, TaskChanges, TaskWithTags},
};
use poem_openapi::{Enum, Object, types::MaybeUndefined};
use serde::Serialize;
use uuid::Uuid;

crate::texts! {
    /// What is to be done, in a line.
    TaskTitle { length: 1..=text::TaskTitle::MAX, pattern: text::NOT_BLANK_PATTERN, example: "Oil the bearings" }
    /// More about a task, in as many lines as it takes.
    TaskDescription { length: 1..=text::TaskDescription::MAX, example: "Those of the second mill, too." }
}

/// A new task.
#[derive(Object)]
pub(crate) struct TaskCreate {
    /// What is to be done.
    title: TaskTitle,
    /// More about it.
    #[oai(nullable)]
    description: Option<TaskDescription>,
    /// Where it stands; by itself `todo`.
    status: Option<TaskStatus>,
    /// How much it matters; by itself `normal`.
    priority: Option<TaskPriority>,
    /// Until when.
    #[oai(nullable)]
    due_at: Option<DateTime<Utc>>,
    /// Of which project; one that is archived takes none.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// Who is to do it: an active member.
    #[oai(nullable)]
    assignee_id: Option<Uuid>,
    /// Its place in the order that people give; by itself behind the last one of its project.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740991")))]
    position: Option<i64>,
    /// Its tags, by their ids, each once.
    #[oai(validator(max_items = 20, unique_items))]
    tags: Option<Vec<Uuid>>,
}

/// What is to change: absent is unchanged, `null` is cleared.
#[derive(Object)]
pub(crate) struct TaskUpdate {
    /// What is to be done.
    title: Option<TaskTitle>,
    /// More about it.
    #[oai(nullable)]
    description: MaybeUndefined<TaskDescription>,
    /// Where it stands.
    status: Option<TaskStatus>,
    /// How much it matters.
    priority: Option<TaskPriority>,
    /// Until when.
    #[oai(nullable)]
    due_at: MaybeUndefined<DateTime<Utc>>,
    /// Of which project; one that is archived takes none.
    #[oai(nullable)]
    project_id: MaybeUndefined<Uuid>,
    /// Who is to do it: an active member.
    #[oai(nullable)]
    assignee_id: MaybeUndefined<Uuid>,
    /// Its place in the order that people give.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740991")))]
    position: Option<i64>,
    /// All its tags, by their ids, each once.
    #[oai(validator(max_items = 20, unique_items))]
    tags: Option<Vec<Uuid>>,
}

/// A task.
#[derive(Object, Serialize)]
pub(crate) struct Task {
    /// The task.
    pub(crate) id: Uuid,
    /// Whose.
    pub(crate) organization_id: Uuid,
    /// What is to be done.
    title: TaskTitle,
    /// More about it.
    #[oai(nullable)]
    description: Option<TaskDescription>,
    /// Where it stands.
    status: TaskStatus,
    /// How much it matters.
    priority: TaskPriority,
    /// Until when.
    #[oai(nullable)]
    due_at: Option<DateTime<Utc>>,
    /// Of which project; `null`: of none.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// The member who is to do it; `null`: nobody yet.
    #[oai(nullable)]
    assignee_id: Option<Uuid>,
    /// The member who wrote it down; `null`: an operator of the platform.
    #[oai(nullable)]
    created_by: Option<Uuid>,
    /// Its place in the order that people give.
    position: i64,
    /// Its tags, in the order of their ids.
    tags: Vec<Uuid>,
    /// When it was done; `null`: it is not.
    #[oai(nullable)]
    completed_at: Option<DateTime<Utc>>,
    /// Counts its changes; the `ETag`.
    pub(crate) version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskStatus {
    /// Nobody has begun.
    Todo,
    /// Somebody works on it.
    InProgress,
    /// It is done.
    Done,
    /// It is not to be done any more.
    Cancelled,
}

/// How much a task matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskPriority {
    /// It can wait.
    Low,
    /// As most.
    Normal,
    /// Before most.
    High,
    /// Before all.
    Urgent,
}

impl TryFrom<TaskCreate> for NewTask {
    type Error = Error;

    fn try_from(draft: TaskCreate) -> Result<Self, Error> {
        let mut fields = FieldErrors::default();
        let title = fields.parse("title", text::TaskTitle::parse(&draft.title.0));
        let description = draft.description.map(|text| text::TaskDescription::parse(&text.0));
        let description = fields.parse_optional("description", description);
        fields.into_result()?;
        Ok(Self {
            title: title.ok_or(ErrorCode::ValidationFailed.refuse())?,
            description,
            status: draft.status.unwrap_or(TaskStatus::Todo).into(),
            priority: draft.priority.unwrap_or(TaskPriority::Normal).into(),
            due_at: draft.due_at,
            project_id: draft.project_id.map(ProjectId),
            assignee_id: draft.assignee_id.map(MemberId),
            position: draft.position,
            tags: draft.tags.unwrap_or_default().into_iter().map(TagId).collect(),
        })
    }
}

impl TryFrom<TaskUpdate> for TaskChanges {
    type Error = Error;

    fn try_from(patch: TaskUpdate) -> Result<Self, Error> {
        let mut fields = FieldErrors::default();
        let title = patch.title.map(|title| text::TaskTitle::parse(&title.0));
        let title = fields.parse_optional("title", title);
        let description = match patch.description {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => {
                fields.parse("description", text::TaskDescription::parse(&text.0)).map(Some)
            }
        };
        fields.into_result()?;
        let (project, assignee): (Option<Option<Uuid>>, Option<Option<Uuid>>) =
            (patch.project_id.into(), patch.assignee_id.into());
        Ok(Self {
            title,
            description,
            status: patch.status.map(Into::into),
            priority: patch.priority.map(Into::into),
            due_at: patch.due_at.into(),
            project_id: project.map(|project| project.map(ProjectId)),
            assignee_id: assignee.map(|assignee| assignee.map(MemberId)),
            position: patch.position,
            tags: patch.tags.map(|tags| tags.into_iter().map(TagId).collect()),
        })
    }
}

impl From<TaskWithTags> for Task {
    fn from(TaskWithTags { task, tags }: TaskWithTags) -> Self {
        Self {
            id: task.id.0,
            organization_id: task.organization_id.0,
            title: TaskTitle(task.title),
            description: task.description.map(TaskDescription),
            status: task.status.into(),
            priority: task.priority.into(),
            due_at: task.due_at,
            project_id: task.project_id.map(|project| project.0),
            assignee_id: task.assignee_id.map(|member| member.0),
            created_by: task.created_by.map(|member| member.0),
            position: task.position,
            tags: tags.into_iter().map(|tag| tag.0).collect(),
            completed_at: task.completed_at,
            version: task.version,
            created_at: task.created_at,
            updated_at: task.updated_at,
        }
    }
}

/// The same names on either side.
macro_rules! alike { ($($core:path = $wire:ident: $($name:ident)+;)+) => {$(
    impl From<$wire> for $core {
        fn from(wire: $wire) -> Self {
            match wire { $($wire::$name => Self::$name),+ }
        }
    }
    impl From<$core> for $wire {
        fn from(core: $core) -> Self {
            match core { $(<$core>::$name => Self::$name),+ }
        }
    }
)+}}
alike! {
    tasks::TaskStatus = TaskStatus: Todo InProgress Done Cancelled;
    tasks::Priority = TaskPriority: Low Normal High Urgent;
}
