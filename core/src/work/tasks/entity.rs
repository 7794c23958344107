//! Rows of `tasks`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, ProjectId, TaskId},
    storage::db::{tenant_table, without_relations},
};

/// The status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum TaskStatus {
    /// Not started.
    #[sea_orm(string_value = "todo")]
    Todo,
    /// Started.
    #[sea_orm(string_value = "in_progress")]
    InProgress,
    /// Completed.
    #[sea_orm(string_value = "done")]
    Done,
    /// Will not be done.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl TaskStatus {
    /// The value in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The priority of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Priority {
    /// Lowest.
    #[sea_orm(num_value = 1)]
    Low,
    /// The default.
    #[sea_orm(num_value = 2)]
    Normal,
    /// Above normal.
    #[sea_orm(num_value = 3)]
    High,
    /// Highest.
    #[sea_orm(num_value = 4)]
    Urgent,
}

impl Priority {
    /// The value in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

/// A task of one organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub struct Model {
    /// The task.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaskId,
    /// The organization that owns it.
    pub organization_id: OrgId,
    /// `None`: no project.
    pub project_id: Option<ProjectId>,
    /// A single line.
    pub title: String,
    /// The title without regard to case and accents, for the search.
    pub search_key: String,
    /// `None` without a description.
    pub description: Option<String>,
    /// Its status.
    pub status: TaskStatus,
    /// Its priority.
    pub priority: Priority,
    /// When it must be done; `None` without a due date.
    pub due_at: Option<DateTimeUtc>,
    /// A member; `None`: nobody.
    pub assignee_id: Option<MemberId>,
    /// A member; `None`: a superuser.
    pub created_by: Option<MemberId>,
    /// Position in the manual order.
    pub position: i64,
    /// When the status became `done`.
    pub completed_at: Option<DateTimeUtc>,
    /// Number of changes; the `ETag`.
    pub version: i64,
    /// `None` while it is not deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("task", deleted: Some(Column::DeletedAt), affects_access: false);
