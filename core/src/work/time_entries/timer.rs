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
            RequiredPermission, TimeEntriesCreate, TimeEntriesRead, TimeEntriesUpdate, WritePermission,
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

/// Starts the caller's timer.
///
/// # Errors
/// `NOT_A_MEMBER`; `TIMER_RUNNING` if one runs already; the errors of [`super::create`].
pub async fn start(tx: &OrgTx<TimeEntriesCreate>, new: NewTimer) -> Result<TimeEntryWithTags> {
    let member = tx.own_member()?;
    let span = Span::new(new.started_at.unwrap_or(tx.now()), None);
    // Two concurrent requests can both find none. Then a unique index rejects the second.
    if running_of(tx, member).await?.is_some() {
        return Err(ErrorCode::TimerRunning.refuse());
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
    let before = running_of(tx, member).await?.ok_or(ErrorCode::TimerNotRunning.refuse())?;
    let rules = Rules::of(tx).await?;
    let started_at = before.entry.started_at;
    // The clock can have been set back meanwhile.
    let ended_at = tx.now().trunc_subsecs(0).max(started_at);
    let mut fields = FieldErrors::default();
    rules.validate(Span { started_at, ended_at: Some(ended_at) }, tx.now(), &mut fields);
    fields.into_result()?;
    // Also if its start is in a locked period by now: the running entry counted there before, and its start does not
    // change.
    end(tx, before, ended_at).await
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
