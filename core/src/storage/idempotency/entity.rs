//! Rows of `idempotency_keys`: responses that are stored for repeated requests.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{IdempotencyKeyId, OrgId, UserId},
    storage::db::{tenant_table, without_relations},
};

/// A stored response. Without a status, the transaction that wrote the row has not finished.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// Id of the row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IdempotencyKeyId,
    /// Organization of the request.
    pub organization_id: OrgId,
    /// User who sent the request.
    pub user_id: UserId,
    /// Operation of the request.
    pub operation_id: String,
    /// Idempotency key of the client.
    pub key: String,
    /// SHA-256 of the request body.
    pub body_sha256: Vec<u8>,
    /// HTTP status of the response.
    pub status: Option<i32>,
    /// Header `Location` of the response.
    pub location: Option<String>,
    /// Header `ETag` of the response.
    pub etag: Option<String>,
    /// Body of the response.
    pub body: Option<Vec<u8>>,
    /// When the response is deleted.
    pub expires_at: DateTimeUtc,
    /// When the request arrived.
    pub created_at: DateTimeUtc,
    /// When the response was stored.
    pub updated_at: DateTimeUtc,
}

// A response can outlive its user.
without_relations!();

tenant_table!("remembered answer", deleted: None, affects_access: false);
