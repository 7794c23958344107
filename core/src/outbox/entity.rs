//! Rows of `outbox`: the truth about jobs.

use sea_orm::entity::prelude::*;

use crate::{
    db::TenantTable,
    ids::{JobId, OrgId},
};

/// One job.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Its address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// For whom; may be [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// Which kind of job.
    pub kind: String,
    /// JSON, ids only.
    pub payload: String,
    /// JSON: on whose behalf.
    pub actor: String,
    /// At most one job with this key is ever accepted.
    pub dedupe_key: Option<String>,
    /// `pending`, `done` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
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

/// None: a job outlives what it is about.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "job";
    const DECIDES_ACCESS: bool = false;
}
