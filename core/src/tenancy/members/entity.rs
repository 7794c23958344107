//! Rows of `members`.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{MemberId, OrgId, UserId},
    identity::users,
    storage::db::tenant_table,
};

/// A person's belonging to one organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "members")]
pub struct Model {
    /// The membership.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MemberId,
    /// To which organization.
    pub organization_id: OrgId,
    /// Who.
    pub user_id: UserId,
    /// `active`, `suspended` or `removed`.
    pub status: String,
    /// Since when.
    pub joined_at: DateTimeUtc,
    /// Until when.
    pub removed_at: Option<DateTimeUtc>,
    /// Counts the changes.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
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
