//! Rows of `time_entries`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, ProjectId, TaskId, TimeEntryId},
    storage::db::{tenant_table, without_relations},
};

/// How a time entry old created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum EntrySource {
    /// Entered by a user.
    #[sea_orm(string_value = "manual")]
    Manual,
    /// Recorded by the timer.
    #[sea_orm(string_value = "timer")]
    Timer,
    /// Imported from a file.
    #[sea_orm(string_value = "import")]
    Import,
}

/// The time of a member.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "time_entries")]
pub struct Model {
    /// The time entry.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TimeEntryId,
    /// The organization that owns it.
    pub organization_id: OrgId,
    /// The member who worked.
    pub member_id: MemberId,
    /// `None`: no project.
    pub project_id: Option<ProjectId>,
    /// `None`: no task.
    pub task_id: Option<TaskId>,
    /// Kind of work.
    pub activity: Option<String>,
    /// `None` without notes.
    pub notes: Option<String>,
    /// In whole seconds.
    pub started_at: DateTimeUtc,
    /// In whole seconds; `None` while the timer runs.
    pub ended_at: Option<DateTimeUtc>,
    /// Whether it is billable.
    pub billable: bool,
    /// How it was created.
    pub source: EntrySource,
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

tenant_table!("time entry", deleted: Some(Column::DeletedAt), affects_access: false);
