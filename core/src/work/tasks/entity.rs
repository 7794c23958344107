//! Rows of `tasks`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, ProjectId, TaskId},
    storage::db::{tenant_table, without_relations},
};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum TaskStatus {
    /// Nobody has begun.
    #[sea_orm(string_value = "todo")]
    Todo,
    /// Somebody works on it.
    #[sea_orm(string_value = "in_progress")]
    InProgress,
    /// It is done.
    #[sea_orm(string_value = "done")]
    Done,
    /// It is not to be done any more.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl TaskStatus {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How much a task matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Priority {
    /// It can wait.
    #[sea_orm(num_value = 1)]
    Low,
    /// As most.
    #[sea_orm(num_value = 2)]
    Normal,
    /// Before most.
    #[sea_orm(num_value = 3)]
    High,
    /// Before all.
    #[sea_orm(num_value = 4)]
    Urgent,
}

impl Priority {
    /// As it is shown.
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
    /// Whose.
    pub organization_id: OrgId,
    /// Of which project; `None`: of none.
    pub project_id: Option<ProjectId>,
    /// What is to be done.
    pub title: String,
    /// More about it.
    pub description: Option<String>,
    /// Where it stands.
    pub status: TaskStatus,
    /// How much it matters.
    pub priority: Priority,
    /// Until when.
    pub due_at: Option<DateTimeUtc>,
    /// Who is to do it.
    pub assignee_id: Option<MemberId>,
    /// Who wrote it down; `None`: an operator of the platform.
    pub created_by: Option<MemberId>,
    /// Its place in the order that people give.
    pub position: i64,
    /// When it was done.
    pub completed_at: Option<DateTimeUtc>,
    /// Counts the changes; the `ETag`.
    pub version: i64,
    /// When it was deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("task", deleted: Some(Column::DeletedAt), affects_access: false);
