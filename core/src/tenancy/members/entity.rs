//! Rows of `members`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, UserId},
    identity::users,
    storage::db::tenant_table,
};

/// The membership of a user in one organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "members")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MemberId,
    /// The organization.
    pub organization_id: OrgId,
    /// The user.
    pub user_id: UserId,
    /// `active`, `suspended` or `removed`.
    pub status: String,
    /// When the user joined, or joined again after a removal.
    pub joined_at: DateTimeUtc,
    /// When the member was removed. `None` if they were not.
    pub removed_at: Option<DateTimeUtc>,
    /// Incremented by each change.
    pub version: i64,
    /// When the row was inserted.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

/// The person.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// Who it is.
    #[sea_orm(belongs_to = "users::Entity", from = "Column::UserId", to = "users::Column::Id")]
    User,
}

impl Related<users::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

// Removed members keep their row: what they did still names them.
tenant_table!("member", deleted: None, affects_access: true);
