//! Request and response bodies of tasks.

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{Error, ErrorCode, FieldErrors},
        ids::{MemberId, ProjectId, TagId},
        text,
    },
    work::tasks::{self, NewTask, TaskChanges, TaskKey, TaskWithTags},
};
use poem_openapi::{Enum, Object, types::MaybeUndefined};
use serde::Serialize;
use uuid::Uuid;

use crate::{body::parse_change, http::sort_keys};

crate::texts! {
    /// Title of a task, on one line.
    TaskTitle { length: 1..=text::TaskTitle::MAX, pattern: text::NOT_BLANK_PATTERN, example: "Oil the bearings" }
    /// Description of a task. It can have several lines.
    TaskDescription { length: 1..=text::TaskDescription::MAX, example: "Those of the second mill, too." }
}

sort_keys! {
    pub(super) TaskSort of TaskKey, "`position` is the manual order of the tasks.";
    created_at: CreatedAt,
    updated_at: UpdatedAt,
    due_at: DueAt,
    priority: Priority,
    position: Position,
}

/// A task to create.
#[derive(Object)]
pub(crate) struct TaskCreate {
    /// Title of the task, on one line.
    title: TaskTitle,
    /// Longer description. `null`: no description.
    #[oai(nullable)]
    description: Option<TaskDescription>,
    /// Status of the task. Defaults to `todo`.
    status: Option<TaskStatusName>,
    /// Priority of the task. Defaults to `normal`.
    priority: Option<TaskPriority>,
    /// When the task is due. `null`: no due date.
    #[oai(nullable)]
    due_at: Option<DateTime<Utc>>,
    /// The project of the task, which must not be archived. `null` or absent: no project.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// The assigned member, who must be active. `null` or absent: unassigned.
    #[oai(nullable)]
    assignee_id: Option<Uuid>,
    /// Position in the manual order; lower numbers come first. Defaults to the end of its project.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740991")))]
    position: Option<i64>,
    /// Ids of its tags, each once, at most 20.
    #[oai(validator(max_items = 20, unique_items))]
    tags: Option<Vec<Uuid>>,
}

/// Changes to a task. Absent fields stay unchanged; `null` clears a field.
#[derive(Object)]
pub(crate) struct TaskUpdate {
    /// Title of the task, on one line.
    title: Option<TaskTitle>,
    /// Longer description. `null` removes it.
    #[oai(nullable)]
    description: MaybeUndefined<TaskDescription>,
    /// Status of the task. Changing it sets or clears `completed_at`.
    status: Option<TaskStatusName>,
    /// Priority of the task.
    priority: Option<TaskPriority>,
    /// When the task is due. `null` removes the due date.
    #[oai(nullable)]
    due_at: MaybeUndefined<DateTime<Utc>>,
    /// The project of the task. You cannot move a task to an archived project. `null` removes it from its
    /// project.
    #[oai(nullable)]
    project_id: MaybeUndefined<Uuid>,
    /// The assigned member, who must be active. `null` removes the assignment.
    #[oai(nullable)]
    assignee_id: MaybeUndefined<Uuid>,
    /// Position in the manual order; lower numbers come first.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740991")))]
    position: Option<i64>,
    /// Ids of all its tags, each once, at most 20. They replace the present tags.
    #[oai(validator(max_items = 20, unique_items))]
    tags: Option<Vec<Uuid>>,
}

/// A task: work to be done in an organization.
#[derive(Object, Serialize)]
pub(crate) struct Task {
    /// Unique id of the task.
    pub(crate) id: Uuid,
    /// The organization it belongs to.
    pub(crate) organization_id: Uuid,
    /// Title of the task, on one line.
    title: TaskTitle,
    /// Longer description. `null`: no description.
    #[oai(nullable)]
    description: Option<TaskDescription>,
    /// Status of the task.
    status: TaskStatusName,
    /// Priority of the task.
    priority: TaskPriority,
    /// When the task is due. `null`: no due date.
    #[oai(nullable)]
    due_at: Option<DateTime<Utc>>,
    /// The project of the task. `null`: no project.
    #[oai(nullable)]
    project_id: Option<Uuid>,
    /// The assigned member. `null`: unassigned.
    #[oai(nullable)]
    assignee_id: Option<Uuid>,
    /// The member who created the task. `null`: a superuser who is not a member created it.
    #[oai(nullable)]
    created_by: Option<Uuid>,
    /// Position in the manual order; lower numbers come first.
    position: i64,
    /// Ids of its tags, in ascending order.
    tags: Vec<Uuid>,
    /// When its status became `done`. `null`: the status is not `done`.
    #[oai(nullable)]
    completed_at: Option<DateTime<Utc>>,
    /// Version number, which is also the `ETag`. Every change increases it.
    pub(crate) version: i64,
    /// When the task was created.
    created_at: DateTime<Utc>,
    /// When the task was last changed.
    updated_at: DateTime<Utc>,
    /// When the task was deleted. `null`: not deleted.
    #[oai(nullable)]
    deleted_at: Option<DateTime<Utc>>,
}

/// Status of a task: `todo` (not started), `in_progress` (being worked on), `done` (completed) or `cancelled`
/// (no longer needed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case", rename = "TaskStatus")]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskStatusName {
    /// Work has not started.
    Todo,
    /// Work is in progress.
    InProgress,
    /// The task is completed.
    Done,
    /// The task is no longer needed.
    Cancelled,
}

/// Priority of a task, from lowest to highest: `low`, `normal`, `high`, `urgent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskPriority {
    /// Lower than the default.
    Low,
    /// The default priority.
    Normal,
    /// Higher than the default.
    High,
    /// The highest priority.
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
            status: draft.status.unwrap_or(TaskStatusName::Todo).into(),
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
        let description = parse_change(&mut fields, "description", patch.description, |it| {
            text::TaskDescription::parse(&it.0)
        });
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
            deleted_at: task.deleted_at,
        }
    }
}

/// Implements conversions in both directions between two enums with the same variants.
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
    tasks::TaskStatus = TaskStatusName: Todo InProgress Done Cancelled;
    tasks::Priority = TaskPriority: Low Normal High Urgent;
}
