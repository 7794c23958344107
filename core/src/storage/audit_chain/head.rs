//! Rows of `audit_heads`: the end of the chain of an organization.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::OrgId,
    storage::db::{tenant_table, without_relations},
};

/// The signed end of a chain.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_heads")]
pub struct Model {
    /// Id of the organization.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrgId,
    /// Organization of the chain, or [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// Number of the last event; 0 if there is none.
    pub last_seq: i64,
    /// Hash of the last event.
    pub last_hash: String,
    /// When the last event was sealed.
    pub sealed_at: DateTimeUtc,
    /// Signature of the statement that this is the end.
    pub signature: String,
    /// Id of the key that signed it.
    pub key_id: String,
    /// Events up to this number may be deleted; 0 if none.
    pub pruned_seq: i64,
    /// Number of the last event with a checkpoint.
    pub checkpointed_seq: i64,
    /// When that checkpoint was signed.
    pub checkpointed_at: DateTimeUtc,
    /// When the first event was sealed.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("audit log", deleted: None, affects_access: false);
