//! Sort orders of the list of tasks.

use insula_core::{base::pagination::Sort, work::tasks::TaskKey};
use poem_openapi::Enum;

/// Sort order. `-` means descending. `position` is the manual order of the tasks.
#[derive(Clone, Copy, Debug, Enum)]
pub(super) enum TaskSort {
    #[oai(rename = "created_at")]
    CreatedAt,
    #[oai(rename = "-created_at")]
    CreatedAtDescending,
    #[oai(rename = "updated_at")]
    UpdatedAt,
    #[oai(rename = "-updated_at")]
    UpdatedAtDescending,
    #[oai(rename = "due_at")]
    DueAt,
    #[oai(rename = "-due_at")]
    DueAtDescending,
    #[oai(rename = "priority")]
    Priority,
    #[oai(rename = "-priority")]
    PriorityDescending,
    #[oai(rename = "position")]
    Position,
    #[oai(rename = "-position")]
    PositionDescending,
}

impl From<TaskSort> for Sort<TaskKey> {
    fn from(sort: TaskSort) -> Self {
        let (key, descending) = match sort {
            TaskSort::CreatedAt => (TaskKey::CreatedAt, false),
            TaskSort::CreatedAtDescending => (TaskKey::CreatedAt, true),
            TaskSort::UpdatedAt => (TaskKey::UpdatedAt, false),
            TaskSort::UpdatedAtDescending => (TaskKey::UpdatedAt, true),
            TaskSort::DueAt => (TaskKey::DueAt, false),
            TaskSort::DueAtDescending => (TaskKey::DueAt, true),
            TaskSort::Priority => (TaskKey::Priority, false),
            TaskSort::PriorityDescending => (TaskKey::Priority, true),
            TaskSort::Position => (TaskKey::Position, false),
            TaskSort::PositionDescending => (TaskKey::Position, true),
        };
        Self { key, descending }
    }
}
