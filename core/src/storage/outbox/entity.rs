//! Rows of `outbox`, the source of truth about jobs.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{JobId, OrgId},
    storage::db::{tenant_table, without_relations},
};

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum OutboxState {
    /// The job is due now or later, or is running.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// The job is done.
    #[sea_orm(string_value = "done")]
    Done,
    /// The job failed permanently. A superuser can retry it.
    #[sea_orm(string_value = "dead")]
    Dead,
    /// A superuser cancelled the job.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl OutboxState {
    /// All states.
    pub const ALL: &'static [Self] = &[Self::Pending, Self::Done, Self::Dead, Self::Cancelled];

    /// The state in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Id of the job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// Organization of the job, or [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// Name of the queue.
    pub queue: String,
    /// Kind of job.
    pub kind: String,
    /// JSON that contains only ids.
    pub payload: String,
    /// JSON: who caused the job.
    pub actor: String,
    /// Only one job with this key is accepted.
    pub dedupe_key: Option<String>,
    /// State of the job.
    pub state: OutboxState,
    /// Number of attempts.
    pub attempts: i32,
    /// How often its lease expired.
    pub lease_expirations: i32,
    /// The job does not run before this instant.
    pub run_at: DateTimeUtc,
    /// Id of the worker that claimed it; `None` if none did.
    pub lease_by: Option<String>,
    /// End of the lease.
    pub lease_until: Option<DateTimeUtc>,
    /// Error of the last attempt.
    pub last_error: Option<String>,
    /// Of the request that caused it (W3C Trace Context).
    pub traceparent: Option<String>,
    /// When the job was done.
    pub done_at: Option<DateTimeUtc>,
    /// When the job was created.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

impl Model {
    /// Is a worker running it at the instant `now`? A worker that stopped responding counts until its lease expires.
    pub fn is_running(&self, now: DateTimeUtc) -> bool {
        self.state == OutboxState::Pending && self.lease_until.is_some_and(|until| until > now)
    }
}

// A job can outlive the rows that it is about.
without_relations!();

tenant_table!("job", deleted: None, affects_access: false);
