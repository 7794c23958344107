//! List time entries.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition};

use super::{Column, Entity, LONGEST, TimeEntryWithTags, time_entry_tags, visible};
use crate::{
    Result,
    base::{
        ids::{ProjectId, TagId, TaskId},
        pagination::{Page, PageRequest},
        permissions::{Permission, RequiredPermission, TimeEntriesRead},
    },
    storage::db::{OrgTx, ScopedQuery, SortKey},
    tenancy::members::{self, MemberRef},
};

/// Filter of the list; `None` matches all entries.
#[derive(Clone, Debug, Default)]
pub struct TimeEntryFilter {
    /// Only entries that end after this time, or run.
    pub from: Option<DateTime<Utc>>,
    /// Only entries that start before this time.
    pub to: Option<DateTime<Utc>>,
    /// Only entries of this member.
    pub of: Option<MemberRef>,
    /// Only entries of this project.
    pub project: Option<ProjectId>,
    /// Only entries of this task.
    pub task: Option<TaskId>,
    /// Only entries with this tag.
    pub tag: Option<TagId>,
    /// Only billable entries, or only those that are not.
    pub billable: Option<bool>,
    /// Only running entries, or only entries that ended.
    pub running: Option<bool>,
    /// Only deleted entries, which can be restored; otherwise only others.
    pub is_deleted: bool,
}

/// What the list can be ordered by. Each column is indexed with the organization and the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeEntryKey {
    /// When it began.
    StartedAt,
    /// When it was written down.
    CreatedAt,
}

impl SortKey for TimeEntryKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::StartedAt => Column::StartedAt,
            Self::CreatedAt => Column::CreatedAt,
        }
    }
}

impl TimeEntryFilter {
    /// Adds the filter to a query.
    fn apply<'tx, P: RequiredPermission>(
        &self,
        tx: &OrgTx<P>,
        entries: ScopedQuery<'tx, Entity>,
    ) -> Result<ScopedQuery<'tx, Entity>> {
        let member = self.of.map(|member| member.member(tx)).transpose()?;
        let entries = entries
            .filter_some(Column::MemberId, member)
            .filter_some(Column::ProjectId, self.project)
            .filter_some(Column::TaskId, self.task)
            .filter_some(Column::Billable, self.billable)
            .filter(window(self.from, self.to))
            .filter(Condition::all().add_option(self.running.map(|running| match running {
                true => Column::EndedAt.is_null(),
                false => Column::EndedAt.is_not_null(),
            })));
        Ok(match self.tag {
            Some(tag) => {
                let has = time_entry_tags::Column::TagId.eq(tag);
                entries.where_in::<time_entry_tags::Entity>(
                    Column::Id,
                    time_entry_tags::Column::TimeEntryId,
                    has,
                )
            }
            None => entries,
        })
    }
}

/// Entries that overlap `from..to`.
pub(crate) fn window(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Condition {
    let since = from.map(|from| {
        let lasts = Condition::any().add(Column::EndedAt.is_null()).add(Column::EndedAt.gt(from));
        // Implied, because no entry is longer than `LONGEST`. With this condition, an index finds the first entry.
        let earliest = from.checked_sub_signed(LONGEST).unwrap_or(DateTime::UNIX_EPOCH);
        Condition::all().add(lasts).add(Column::StartedAt.gte(earliest))
    });
    Condition::all().add_option(since).add_option(to.map(|to| Column::StartedAt.lt(to)))
}

/// Lists one page of the entries that the caller can see.
///
/// # Errors
/// `NOT_A_MEMBER` if a superuser who is not a member filters for their own entries; `Forbidden` for deleted entries
/// without `time_entries:delete`.
pub async fn list(
    tx: &OrgTx<TimeEntriesRead>,
    filter: &TimeEntryFilter,
    listing: PageRequest<TimeEntryKey>,
) -> Result<Page<TimeEntryWithTags>> {
    let entries = if filter.is_deleted {
        members::require_permission(tx, Permission::TimeEntriesDelete).await?;
        tx.find_deleted::<Entity>()
    } else {
        tx.find::<Entity>()
    };
    let entries = filter.apply(tx, entries.filter(visible(tx)?))?;
    let (entry, tag) = (time_entry_tags::Column::TimeEntryId, time_entry_tags::Column::TagId);
    let page = entries.page_with_links::<time_entry_tags::Entity, _>(listing, entry, tag).await?;
    let with_tags =
        |(entry, tags): (_, Vec<_>)| TimeEntryWithTags { entry, tags: tags.into_iter().map(TagId).collect() };
    Ok(Page { data: page.data.into_iter().map(with_tags).collect(), next: page.next })
}
