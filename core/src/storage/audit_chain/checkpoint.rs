//! Rows of `audit_checkpoints`: signed statements of what a chain had come to.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{CheckpointId, OrgId},
    storage::db::TenantTable,
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

/// None declared.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "checkpoint";
    const AFFECTS_ACCESS: bool = false;
}
