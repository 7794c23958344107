//! Rows of `idempotency_keys`: answers that are given again.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{AnswerId, OrgId, UserId},
    storage::db::{tenant_table, without_relations},
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

// An answer outlives the user who asked.
without_relations!();

tenant_table!("remembered answer", deleted: None, affects_access: false);
