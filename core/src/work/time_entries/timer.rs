//! The timer: the one running entry of a member.

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait};

use super::{
    Column, Entity, EntrySource, TimeEntryWithTags,
    create::{TimeEntryFields, write},
    entity::ActiveModel,
    rules::{Rules, Span},
    tags_of,
};
use crate::{
    Error, Result,
    base::{
        error::{ErrorCode, FieldErrors},
        ids::MemberId,
        permissions::{
            Permission, RequiredPermission, TimeEntriesCreate, TimeEntriesRead, TimeEntriesUpdate,
            WritePermission,
        },
    },
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
    tenancy::members,
};

/// A new timer.
#[derive(Clone, Debug, Default)]
pub struct NewTimer {
    /// The other fields.
    pub about: TimeEntryFields,
    /// `None`: now.
    pub started_at: Option<DateTime<Utc>>,
    /// Whether to end the running timer first.
    pub switch: bool,
}

/// Gets the running entry of the caller.
///
/// # Errors
/// `NOT_A_MEMBER` for superusers.
pub async fn running(tx: &OrgTx<TimeEntriesRead>) -> Result<Option<TimeEntryWithTags>> {
    running_of(tx, tx.own_member()?).await
}

/// The running entry of a member.
pub(crate) async fn running_of<P: RequiredPermission>(
    tx: &OrgTx<P>,
    member: MemberId,
) -> Result<Option<TimeEntryWithTags>> {
    let running = tx.find::<Entity>().filter(Column::MemberId.eq(member)).filter(Column::EndedAt.is_null());
    let entry = match running.one().await {
        Err(Error::NotFound(_)) => return Ok(None),
        found => found?,
    };
    let tags = tags_of(tx, [entry.id]).await?.remove(&entry.id).unwrap_or_default();
    Ok(Some(TimeEntryWithTags { entry, tags }))
}

/// Starts the caller's timer. With `switch`, the running timer ends at the start of the new one.
///
/// # Errors
/// `NOT_A_MEMBER`; `TIMER_RUNNING` if one runs already and `switch` is not set; the errors of [`super::create`]; with
/// `switch`, `Forbidden` without `time_entries:update`, and the errors of [`stop`].
pub async fn start(tx: &OrgTx<TimeEntriesCreate>, new: NewTimer) -> Result<TimeEntryWithTags> {
    let member = tx.own_member()?;
    let span = Span::new(new.started_at.unwrap_or(tx.now()), None);
    if new.switch {
        members::lock_one(tx, member).await?;
    }
    // Without the lock, two concurrent requests can both find none. Then a unique index rejects the second.
    match running_of(tx, member).await? {
        Some(_) if !new.switch => return Err(ErrorCode::TimerRunning.refuse()),
        Some(running) => {
            members::require_permission(tx, Permission::TimeEntriesUpdate).await?;
            end_at(tx, running, span.started_at, "started_at").await?;
        }
        None => {}
    }
    write(tx, member, span, new.about, (EntrySource::Timer, Action::TimeEntryStarted)).await
}

/// Stops the caller's timer.
///
/// # Errors
/// `NOT_A_MEMBER`; `TIMER_NOT_RUNNING`; `VALIDATION_FAILED` if it ran longer than an entry can be. Then an update must
/// set its end.
pub async fn stop(tx: &OrgTx<TimeEntriesUpdate>) -> Result<TimeEntryWithTags> {
    let member = tx.own_member()?;
    members::lock_one(tx, member).await?;
    let running = running_of(tx, member).await?.ok_or(ErrorCode::TimerNotRunning.refuse())?;
    // The clock can have been set back meanwhile.
    let ended_at = tx.now().trunc_subsecs(0).max(running.entry.started_at);
    end_at(tx, running, ended_at, "ended_at").await
}

/// Checks the rules and ends a running entry. The caller has locked the member. `field` is the field of the request that
/// the end comes from.
async fn end_at<P: WritePermission>(
    tx: &OrgTx<P>,
    running: TimeEntryWithTags,
    ended_at: DateTime<Utc>,
    field: &str,
) -> Result<TimeEntryWithTags> {
    let started_at = running.entry.started_at;
    let mut fields = FieldErrors::default();
    if ended_at < started_at {
        fields.add(field, "OUT_OF_RANGE", "Must not be before the start of the running timer.");
        fields.into_result()?;
    } else {
        let span = Span { started_at, ended_at: Some(ended_at) };
        Rules::of(tx).await?.validate(span, tx.now(), &mut fields);
        fields.into_result()?;
    }
    // Also if its start is in a locked period by now: the running entry counted there before, and its start does not
    // change.
    end(tx, running, ended_at).await
}

/// Ends a running entry. The caller has locked the member.
async fn end<P: WritePermission>(
    tx: &OrgTx<P>,
    before: TimeEntryWithTags,
    ended_at: DateTime<Utc>,
) -> Result<TimeEntryWithTags> {
    let ended = ActiveModel {
        id: Set(before.entry.id),
        ended_at: Set(Some(ended_at)),
        version: Set(before.entry.version + 1),
        updated_at: Set(tx.now()),
        ..Default::default()
    };
    let after = TimeEntryWithTags { entry: tx.update(ended).await?, tags: before.tags.clone() };
    let details = EventDetails::changed(before.facts(), after.facts());
    tx.record(Action::TimeEntryStopped, after.entry.id, details).await?;
    Ok(after)
}
