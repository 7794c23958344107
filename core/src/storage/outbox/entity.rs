//! Rows of `outbox`: the truth about jobs.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{JobId, OrgId},
    storage::db::{tenant_table, without_relations},
};

/// Where a job stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// To be done, now or later.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// Done.
    #[sea_orm(string_value = "done")]
    Done,
    /// Given up; somebody may try it again.
    #[sea_orm(string_value = "dead")]
    Dead,
    /// Somebody decided that it is not to be done.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl State {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::Pending, Self::Done, Self::Dead, Self::Cancelled];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One job.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Its address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// For whom; may be [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// In which queue it stands.
    pub queue: String,
    /// Which kind of job.
    pub kind: String,
    /// JSON, ids only.
    pub payload: String,
    /// JSON: on whose behalf.
    pub actor: String,
    /// At most one job with this key is ever accepted.
    pub dedupe_key: Option<String>,
    /// Where it stands in its life.
    pub state: State,
    /// How often it was tried.
    pub attempts: i32,
    /// How often a worker took it and was never heard of again.
    pub lease_expirations: i32,
    /// Not before this instant.
    pub run_at: DateTimeUtc,
    /// Which worker has it.
    pub lease_by: Option<String>,
    /// Until when.
    pub lease_until: Option<DateTimeUtc>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Of the request that asked for it (W3C Trace Context).
    pub traceparent: Option<String>,
    /// When it was done.
    pub done_at: Option<DateTimeUtc>,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

impl Model {
    /// Is a worker at it, at the instant `now`? One that vanished counts until its lease is over.
    pub fn is_running(&self, now: DateTimeUtc) -> bool {
        self.state == State::Pending && self.lease_until.is_some_and(|until| until > now)
    }
}

// A job outlives what it is about.
without_relations!();

tenant_table!("job", deleted: None, affects_access: false);
