//! Rows of `audit_checkpoints`: signed statements about events of a chain.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{CheckpointId, OrgId},
    storage::db::{tenant_table, without_relations},
};

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_checkpoints")]
pub struct Model {
    /// Id of the checkpoint.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CheckpointId,
    /// Organization of the chain, or [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// `periodic`, or `pruning`: the events up to this one may be deleted.
    pub kind: String,
    /// Number of the event.
    pub seq: i64,
    /// Hash of the event.
    pub hash: String,
    /// Ed25519 signature (RFC 8032), base64url.
    pub signature: String,
    /// Id of the key that signed it.
    pub key_id: String,
    /// When it was signed.
    pub created_at: DateTimeUtc,
}

without_relations!();

tenant_table!("checkpoint", deleted: None, affects_access: false);
