//! Time entries of members who are no longer active. The entries stay, running ones end.

use sea_orm::{ColumnTrait, Condition, sea_query::IntoCondition};

use super::{Column, Entity, TimeEntryWithTags, rules::latest_end, tags_of};
use crate::{
    Result,
    base::{ids::MemberId, permissions::WritePermission},
    storage::{
        audit::{Action, EventDetails},
        db::OrgTx,
    },
    tenancy::members,
};

/// Ends the running entry of a member. The caller has locked the member.
pub(crate) async fn stop_timer_of<P: WritePermission>(tx: &OrgTx<P>, member: MemberId) -> Result<()> {
    end(tx, Column::MemberId.eq(member)).await
}

/// Ends all running entries of the organization, which the caller has locked. Locks their members.
pub(crate) async fn stop_all_timers<P: WritePermission>(tx: &OrgTx<P>) -> Result<()> {
    let running = tx.find::<Entity>().filter(Column::EndedAt.is_null()).all().await?;
    let members = running.into_iter().map(|entry| entry.member_id);
    tx.find::<members::Entity>().all_locked_of(members).await?;
    end(tx, Condition::all()).await
}

async fn end<P: WritePermission>(tx: &OrgTx<P>, filter: impl IntoCondition) -> Result<()> {
    let running = tx.find::<Entity>().filter(filter).filter(Column::EndedAt.is_null()).all().await?;
    let ids: Vec<_> = running.iter().map(|entry| entry.id).collect();
    let mut tags = tags_of(tx, ids).await?;
    let (mut rows, mut events) = (Vec::new(), Vec::new());
    for entry in running {
        let (id, ended_at) = (entry.id, latest_end(entry.started_at, tx.now()));
        rows.push((id.into(), vec![ended_at.into(), (entry.version + 1).into(), tx.now().into()]));
        let before = TimeEntryWithTags { tags: tags.remove(&id).unwrap_or_default(), entry };
        let mut after = before.clone();
        after.entry.ended_at = Some(ended_at);
        events.push((id, EventDetails::changed(before.facts(), after.facts())));
    }
    tx.update_each::<Entity>(&[Column::EndedAt, Column::Version, Column::UpdatedAt], rows).await?;
    tx.record_each(Action::TimeEntryStopped, events).await
}
