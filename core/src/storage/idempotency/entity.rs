//! Rows of `idempotency_keys`: answers that are given again.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{AnswerId, OrgId, UserId},
    storage::db::TenantTable,
};

/// One remembered answer; without a status it is still being made, in the transaction that wrote the row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// Its address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AnswerId,
    /// In which organization.
    pub organization_id: OrgId,
    /// Who asked.
    pub user_id: UserId,
    /// What was asked for.
    pub operation_id: String,
    /// The client's key.
    pub key: String,
    /// Of the body as it was sent.
    pub body_sha256: Vec<u8>,
    /// Of the answer.
    pub status: Option<i32>,
    /// The answer's `Location`.
    pub location: Option<String>,
    /// The answer's `ETag`.
    pub etag: Option<String>,
    /// The answer's body.
    pub body: Option<Vec<u8>>,
    /// Forgotten from then on.
    pub expires_at: DateTimeUtc,
    /// When it was asked.
    pub created_at: DateTimeUtc,
    /// When it was answered.
    pub updated_at: DateTimeUtc,
}

/// None: an answer outlives who asked.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "remembered answer";
    const AFFECTS_ACCESS: bool = false;
}
