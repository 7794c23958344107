//! Rows of `owner_transfers`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, OwnerTransferId},
    storage::db::{tenant_table, without_relations},
};

/// Status of an ownership transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum OwnerTransferStatus {
    /// Offered and not answered. It cannot be accepted after `expires_at`.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// Accepted by the recipient.
    #[sea_orm(string_value = "accepted")]
    Accepted,
    /// Declined by the recipient.
    #[sea_orm(string_value = "declined")]
    Declined,
    /// Cancelled by an owner.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
    /// Not answered in time. It is stored when the next transfer is offered.
    #[sea_orm(string_value = "expired")]
    Expired,
}

/// An ownership transfer: an offer of an owner to a member.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "owner_transfers")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OwnerTransferId,
    /// The organization.
    pub organization_id: OrgId,
    /// The owner who offers it.
    pub from_member_id: MemberId,
    /// The recipient.
    pub to_member_id: MemberId,
    /// The stored status. An overdue transfer is still `pending`.
    pub status: OwnerTransferStatus,
    /// When it expires.
    pub expires_at: DateTimeUtc,
    /// Incremented by each change.
    pub version: i64,
    /// When it was offered.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("transfer", deleted: None, affects_access: false);
