//! `/organizations/{org}/time-entries`: the tracked time of an organization.

pub(crate) mod period_lock;
mod schema;
pub(crate) mod timer;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use insula_core::{
    base::{
        error::{Error, FieldErrors},
        ids::{ProjectId, TagId, TaskId, TimeEntryId},
        permissions::{TimeEntriesCreate, TimeEntriesDelete, TimeEntriesRead, TimeEntriesUpdate},
    },
    storage::idempotency::IdempotentBegin,
    work::time_entries::{self, NewTimeEntry, TimeEntryChanges, TimeEntryFilter, TimeEntryKey},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use crate::routes::Tag;
use crate::{
    auth::tenant,
    body::{MergePatch, StrictJson, missing_first},
    http::{
        CreatedResponse, Cursor, EntityTag, Id, IdempotencyKey, IfMatch, IfNoneMatch, Limit, ListRequest,
        MemberOrMe, NoContent, PageResponse, WithEtag, sort_keys,
    },
    problem::{Result, WithConflict},
    state::AppState,
};
pub(in crate::routes) use schema::TimeEntry;
use schema::{TimeEntryCreate, TimeEntryUpdate};

pub struct TimeEntriesApi(pub Arc<AppState>);

sort_keys! {
    TimeEntrySort of TimeEntryKey;
    started_at: StartedAt,
    created_at: CreatedAt,
}

#[OpenApi(tag = "Tag::TimeEntries")]
impl TimeEntriesApi {
    /// List time entries
    ///
    /// Returns your own time entries, and those of all members with `time_entries:read_all`. Entries that lie
    /// only partly between `from` and `to` are included. A running entry counts as lasting at most 31 days.
    #[oai(path = "/organizations/:org/time-entries", method = "get", operation_id = "listTimeEntries")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter")]
    async fn list(
        &self,
        request: &Request,
        org: tenant::Path<TimeEntriesRead>,
        limit: Query<Option<Limit>>,
        cursor: Query<Option<Cursor>>,
        sort: Query<Option<TimeEntrySort>>,
        /// Only time entries that ended after this time.
        from: Query<Option<DateTime<Utc>>>,
        /// Only time entries that started before this time.
        to: Query<Option<DateTime<Utc>>>,
        /// Only time entries of this member, by id. `me` means yourself.
        member_id: Query<Option<MemberOrMe>>,
        /// Only time entries of this project.
        project_id: Query<Option<Id>>,
        /// Only time entries of this task.
        task_id: Query<Option<Id>>,
        /// Only time entries with this tag (its id).
        tag: Query<Option<Id>>,
        /// Only billable (`true`) or only non-billable (`false`) time entries.
        billable: Query<Option<bool>>,
        /// Only running (`true`) or only ended (`false`) time entries.
        running: Query<Option<bool>>,
        /// Only deleted time entries, which can be restored; needs `time_entries:delete`. Defaults to `false`.
        deleted: Query<Option<bool>>,
    ) -> Result<PageResponse<TimeEntry>, WithConflict> {
        let (from, to) = (from.0, to.0);
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            let mut fields = FieldErrors::default();
            fields.add("to", "OUT_OF_RANGE", "Must be later than the start of the range.");
            fields.into_result()?;
        }
        let filter = TimeEntryFilter {
            from,
            to,
            of: member_id.0.map(Into::into),
            project: project_id.0.map(|id| ProjectId(id.0)),
            task: task_id.0.map(|id| TaskId(id.0)),
            tag: tag.0.map(|id| TagId(id.0)),
            billable: billable.0,
            running: running.0,
            is_deleted: deleted.0.unwrap_or_default(),
        };
        let sort = sort.0.unwrap_or(TimeEntrySort::descending(TimeEntryKey::StartedAt));
        let paging =
            ListRequest::new(&self.0.cursors, request, (org.0.org(), &filter), (limit.0, sort, cursor.0))?;
        let tx = self.0.db.begin(org.0).await?;
        let page = time_entries::list(&tx, &filter, paging.listing.clone()).await?;
        Ok(paging.reply(page, TimeEntry::from))
    }

    /// Create a time entry
    ///
    /// The settings of the organization decide how long an entry can be, whether it can lie in the future and
    /// whether the entries of a member can overlap (`TIME_ENTRY_OVERLAP`). It must not start in a locked
    /// period (`PERIOD_LOCKED`) and must not be in an archived project (`PROJECT_ARCHIVED`).
    #[oai(path = "/organizations/:org/time-entries", method = "post", operation_id = "createTimeEntry")]
    async fn create(
        &self,
        org: tenant::Path<TimeEntriesCreate>,
        #[oai(name = "Idempotency-Key")] key: IdempotencyKey,
        draft: StrictJson<TimeEntryCreate>,
    ) -> Result<CreatedResponse<TimeEntry>> {
        let once = key.once(org.0.origin(), &draft);
        let new = NewTimeEntry::try_from(draft.value)?;
        let tx = match self.0.db.begin_idempotent(org.0, once).await? {
            IdempotentBegin::Replay(answer) => return Ok(CreatedResponse::again(answer)),
            IdempotentBegin::Fresh(tx) => tx,
        };
        let answer = created(&time_entries::create(&tx, new).await?.into())?;
        tx.commit_with(answer.stored()).await?;
        Ok(answer)
    }

    /// Get a time entry
    ///
    /// Time entries of other members need `time_entries:read_all`; otherwise they are answered with 404.
    #[oai(path = "/organizations/:org/time-entries/:entry", method = "get", operation_id = "getTimeEntry")]
    async fn get(
        &self,
        org: tenant::Path<TimeEntriesRead>,
        entry: Path<Id>,
        #[oai(name = "If-None-Match")] known: Header<Option<IfNoneMatch>>,
    ) -> Result<WithEtag<TimeEntry>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = time_entries::get(&tx, TimeEntryId(entry.0.0)).await?;
        Ok(WithEtag::new(EntityTag(shown.entry.version), known.0, || shown.into()))
    }

    /// Update a time entry
    ///
    /// Time entries of other members need `time_entries:manage_all`. Setting `ended_at` ends a running entry.
    /// Entries that start in a locked period cannot be changed (`PERIOD_LOCKED`).
    #[oai(
        path = "/organizations/:org/time-entries/:entry",
        method = "patch",
        operation_id = "updateTimeEntry"
    )]
    async fn change(
        &self,
        org: tenant::Path<TimeEntriesUpdate>,
        entry: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
        patch: MergePatch<TimeEntryUpdate>,
    ) -> Result<WithEtag<TimeEntry>> {
        let (id, changes) = (TimeEntryId(entry.0.0), patch.changes::<TimeEntryChanges>());
        let tx = self.0.db.begin(org.0).await?;
        let changes = missing_first(changes, time_entries::exists(&tx, id)).await?;
        let expected = IfMatch::expected(expected.0);
        let shown = time_entries::update(&tx, id, changes, &expected).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(shown.entry.version), shown.into()))
    }

    /// Delete a time entry
    ///
    /// Time entries of other members need `time_entries:manage_all`. A deleted entry can be restored. Entries
    /// that start in a locked period cannot be deleted (`PERIOD_LOCKED`).
    #[oai(
        path = "/organizations/:org/time-entries/:entry",
        method = "delete",
        operation_id = "deleteTimeEntry"
    )]
    async fn remove(
        &self,
        org: tenant::Path<TimeEntriesDelete>,
        entry: Path<Id>,
        #[oai(name = "If-Match")] expected: Header<Option<IfMatch>>,
    ) -> Result<NoContent> {
        let tx = self.0.db.begin(org.0).await?;
        let expected = IfMatch::expected(expected.0);
        time_entries::delete(&tx, TimeEntryId(entry.0.0), &expected).await?;
        tx.commit().await?;
        Ok(NoContent)
    }

    /// Restore a time entry
    ///
    /// Brings back a deleted entry with its id. Time entries of other members need `time_entries:manage_all`.
    /// An entry that was running continues to run, unless its member is no longer active; the error is
    /// `TIMER_RUNNING` if another one is running. The error is `PARENT_DELETED` if its project or task is
    /// deleted.
    #[oai(
        path = "/organizations/:org/time-entries/:entry/restore",
        method = "post",
        operation_id = "restoreTimeEntry"
    )]
    async fn restore(
        &self,
        org: tenant::Path<TimeEntriesDelete>,
        entry: Path<Id>,
    ) -> Result<WithEtag<TimeEntry>> {
        let tx = self.0.db.begin(org.0).await?;
        let shown = time_entries::restore(&tx, TimeEntryId(entry.0.0)).await?;
        tx.commit().await?;
        Ok(WithEtag::Present(EntityTag(shown.entry.version), shown.into()))
    }
}

/// The response 201 with a time entry.
fn created(entry: &TimeEntry) -> Result<CreatedResponse<TimeEntry>, Error> {
    let location = format!("/api/v1/organizations/{}/time-entries/{}", entry.organization_id, entry.id);
    CreatedResponse::created(location, EntityTag(entry.version), entry)
}
