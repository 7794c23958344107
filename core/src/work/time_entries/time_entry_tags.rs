//! Rows of `time_entry_tags`: the tags of each time entry.

use sea_orm::entity::prelude::*;

use crate::{
    base::ids::{OrgId, TagId, TimeEntryId, TimeEntryTagId},
    storage::db::{tenant_table, without_relations},
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

without_relations!();

tenant_table!("tag of a time entry", deleted: None, affects_access: false);
