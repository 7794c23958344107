//! Rows of `time_entry_tags`: the tags of each time entry.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, TagId, TimeEntryId, TimeEntryTagId},
    storage::db::TenantTable,
};

/// One tag of one time entry.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "time_entry_tags")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TimeEntryTagId,
    pub organization_id: OrgId,
    pub time_entry_id: TimeEntryId,
    pub tag_id: TagId,
    /// When the tag old added.
    pub created_at: DateTimeUtc,
}

/// None declared: what belongs to an organization is found inside its scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TenantTable for Entity {
    const ORG: Column = Column::OrganizationId;
    const ID: Column = Column::Id;
    const DELETED: Option<Column> = None;
    const NAME: &'static str = "tag of a time entry";
    const AFFECTS_ACCESS: bool = false;
}
