//! Rows of `audit_heads`: what the chain of an organization has come to.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::OrgId,
    storage::db::{tenant_table, without_relations},
};

/// The end of a chain, signed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_heads")]
pub struct Model {
    /// That of the organization.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrgId,
    /// Whose chain; may be [`OrgId::PLATFORM`].
    pub organization_id: OrgId,
    /// The number of the last event; 0: there is none yet.
    pub last_seq: i64,
    /// Its hash.
    pub last_hash: String,
    /// When it was sealed.
    pub sealed_at: DateTimeUtc,
    /// Of the statement that this is the end.
    pub signature: String,
    /// With which key.
    pub key_id: String,
    /// Events up to this number may be gone; 0: none.
    pub pruned_seq: i64,
    /// Up to which event there is a checkpoint.
    pub checkpointed_seq: i64,
    /// When it was made.
    pub checkpointed_at: DateTimeUtc,
    /// When the first event was sealed.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("audit log", deleted: None, affects_access: false);
