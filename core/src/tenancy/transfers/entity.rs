//! Rows of `owner_transfers`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, OwnerTransferId},
    storage::db::{tenant_table, without_relations},
};

/// Where the handing over of an organization stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Status {
    /// Offered, and not answered yet; past its time it is worth nothing.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// Taken.
    #[sea_orm(string_value = "accepted")]
    Accepted,
    /// Not wanted by whom it was offered to.
    #[sea_orm(string_value = "declined")]
    Declined,
    /// Taken back by an owner.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
    /// Not answered in time, and noted so when the next one was offered.
    #[sea_orm(string_value = "expired")]
    Expired,
}

/// One offer of one owner to one member.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "owner_transfers")]
pub struct Model {
    /// The offer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OwnerTransferId,
    /// Of which organization.
    pub organization_id: OrgId,
    /// The owner who hands it over.
    pub from_member_id: MemberId,
    /// The member who is to own it.
    pub to_member_id: MemberId,
    /// Where it stands.
    pub status: Status,
    /// Until when it can be accepted.
    pub expires_at: DateTimeUtc,
    /// Counts the changes.
    pub version: i64,
    /// When it was offered.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

without_relations!();

tenant_table!("transfer", deleted: None, affects_access: false);
