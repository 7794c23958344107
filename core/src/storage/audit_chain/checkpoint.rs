//! Rows of `audit_checkpoints`: signed statements of what a chain had come to.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{CheckpointId, OrgId},
    storage::db::{tenant_table, without_relations},
};

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_checkpoints")]
pub struct Model {
    /// Its address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CheckpointId,
    /// Of whose chain; may be [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// `periodic`, or `pruning`: the events up to this one may be gone.
    pub kind: String,
    /// The number of an event.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// Ed25519 (RFC 8032), base64url.
    pub signature: String,
    /// With which key.
    pub key_id: String,
    /// When.
    pub created_at: DateTimeUtc,
}

without_relations!();

tenant_table!("checkpoint", deleted: None, affects_access: false);
