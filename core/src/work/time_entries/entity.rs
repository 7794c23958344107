//! Rows of `time_entries`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, ProjectId, TaskId, TimeEntryId},
    storage::db::{tenant_table, without_relations},
};

/// How a time entry came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Source {
    /// Somebody wrote it down.
    #[sea_orm(string_value = "manual")]
    Manual,
    /// A timer ran.
    #[sea_orm(string_value = "timer")]
    Timer,
    /// It was imported.
    #[sea_orm(string_value = "import")]
    Import,
}

/// A stretch of time that a member worked.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "time_entries")]
pub struct Model {
    /// The entry.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TimeEntryId,
    /// Whose.
    pub organization_id: OrgId,
    /// Who worked.
    pub member_id: MemberId,
    /// On which project; `None`: on none.
    pub project_id: Option<ProjectId>,
    /// On which task of it; `None`: on none.
    pub task_id: Option<TaskId>,
    /// What kind of work.
    pub activity: Option<String>,
    /// What was done.
    pub notes: Option<String>,
    /// When it began; a whole second.
    pub started_at: DateTimeUtc,
    /// When it ended, a whole second; `None`: it is running.
    pub ended_at: Option<DateTimeUtc>,
    /// Is it to be paid for?
    pub billable: bool,
    /// How it came to be.
    pub source: Source,
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

tenant_table!("time entry", deleted: Some(Column::DeletedAt), affects_access: false);
