//! Time entries: the recorded time of members.
//!
//! Every change of a member's time locks the row of the member first. Checks of other entries and of the period lock
//! therefore still hold when the change is written.

mod update;
mod create;
mod offboarding;
pub(crate) mod entity;
mod import;
mod list;
mod deletion;
mod rules;
#[expect(unreachable_pub, reason = "sea-orm derives public items")]
pub(crate) mod time_entry_tags;
mod timer;
mod tag_deletion;
mod access;
mod references;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait};
use serde_json::{Value, json};

pub(crate) use access::visible;
pub use create::{NewTimeEntry, TimeEntryFields, create};
pub use deletion::{delete, restore};
pub(crate) use entity::{Column, Entity};
pub use entity::{EntrySource, Model as TimeEntry};
pub use import::{Import, ImportMemberRef, ImportedEntry, MOST_ROWS, RowError};
pub(crate) use list::window;
pub use list::{TimeEntryFilter, TimeEntryKey, list};
pub(crate) use offboarding::{stop_all_timers, stop_timer_of};
pub use references::ProjectRef;
pub use tag_deletion::delete_tag;
pub(crate) use timer::running_of;
pub use timer::{NewTimer, running, start, stop};
pub use update::{TimeEntryChanges, update};

use crate::{
    Result,
    base::{
        ids::{MemberId, TagId, TimeEntryId, TimeEntryTagId},
        permissions::{Permission, RequiredPermission, TimeEntriesRead, WritePermission},
    },
    storage::db::OrgTx,
    tenancy::members,
};

/// Maximum length of an entry in every organization. Searches by time need not look further back.
pub const LONGEST: TimeDelta = TimeDelta::days(31);

/// Maximum tags of one entry.
pub const MOST_TAGS: usize = 20;

/// An entry with its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeEntryWithTags {
    /// The time entry.
    pub entry: TimeEntry,
    /// Sorted.
    pub tags: Vec<TagId>,
}

impl TimeEntryWithTags {
    /// The fields that audit events contain.
    fn facts(&self) -> Value {
        let entry = &self.entry;
        json!({
            "member_id": entry.member_id,
            "project_id": entry.project_id,
            "task_id": entry.task_id,
            "activity": entry.activity,
            "notes": entry.notes,
            "started_at": second(entry.started_at),
            "ended_at": entry.ended_at.map(second),
            "billable": entry.billable,
            "tags": self.tags,
        })
    }
}

fn second(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Gets one entry that the caller can see.
///
/// # Errors
/// `NotFound`, also if it belongs to another organization, or to a member whose time the caller cannot see.
pub async fn get(tx: &OrgTx<TimeEntriesRead>, id: TimeEntryId) -> Result<TimeEntryWithTags> {
    let entry = tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)?).one().await?;
    let tags = tags_of(tx, [id]).await?.remove(&id).unwrap_or_default();
    Ok(TimeEntryWithTags { entry, tags })
}

/// Checks that an entry exists and that the caller can see it, with any permission on time entries.
///
/// # Errors
/// See [`get`].
pub async fn exists<P: RequiredPermission>(tx: &OrgTx<P>, id: TimeEntryId) -> Result<()> {
    tx.find::<Entity>().filter(Column::Id.eq(id)).filter(visible(tx)?).one().await.map(drop)
}

/// Fails unless the entry is the caller's own or the caller has `time_entries:manage_all`.
async fn require_own<P: RequiredPermission>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    match tx.member() == Some(member) {
        true => Ok(()),
        false => members::require_permission(tx, Permission::TimeEntriesManageAll).await,
    }
}

/// The tags of each entry, sorted.
pub(crate) async fn tags_of<P: RequiredPermission>(
    tx: &OrgTx<P>,
    entries: impl IntoIterator<Item = TimeEntryId>,
) -> Result<HashMap<TimeEntryId, Vec<TagId>>> {
    let mut tags: HashMap<_, Vec<_>> = HashMap::new();
    let entries: Vec<_> = entries.into_iter().collect();
    for link in
        tx.find::<time_entry_tags::Entity>().all_of(time_entry_tags::Column::TimeEntryId, entries).await?
    {
        tags.entry(link.time_entry_id).or_default().push(link.tag_id);
    }
    tags.values_mut().for_each(|tags| tags.sort_unstable());
    Ok(tags)
}

/// Adds tags to an entry, which has none of them yet.
async fn tag<P: WritePermission>(tx: &OrgTx<P>, entry: TimeEntryId, tags: &[TagId]) -> Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let link = |tag: &TagId| time_entry_tags::ActiveModel {
        id: Set(TimeEntryTagId::new(tx.now())),
        time_entry_id: Set(entry),
        tag_id: Set(*tag),
        created_at: Set(tx.now()),
        ..Default::default()
    };
    tx.insert_many(tags.iter().map(link).collect()).await
}
