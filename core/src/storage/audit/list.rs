//! Looking into an audit log.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition};

use super::{Action, Column, Entity, Event, Outcome, Personal, PersonalColumn, PersonalEntity};
use crate::{
    Result,
    base::{
        ids::{EventId, UserId},
        pagination::{Page, PageRequest},
        permissions::{AuditOrigin, AuditRead, Authorized, PlatformRead, RequiredPermission},
    },
    storage::db::{Db, OrgTx, ScopedQuery, SortKey},
};

/// Which events are wanted; `None`: whichever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of what this person did.
    pub actor: Option<UserId>,
    /// Of this action.
    pub action: Option<Action>,
    /// Of this noun.
    pub resource: Option<String>,
    /// Of this one.
    pub resource_id: Option<String>,
    /// That came from this address.
    pub ip: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// From this instant on.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub to: Option<DateTime<Utc>>,
}

/// What a log can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKey {
    /// When it happened.
    OccurredAt,
}

impl SortKey for EventKey {
    type Table = Entity;

    fn column(self) -> Column {
        match self {
            Self::OccurredAt => Column::OccurredAt,
        }
    }
}

/// An event, and what is personal of it, unless there was nothing or it was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// The event.
    pub event: Event,
    /// What is personal of it.
    pub personal: Option<Personal>,
}

impl EventFilter {
    /// Is every event wanted?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The events of `events` that are wanted.
    pub(crate) fn narrow<'tx>(&self, events: ScopedQuery<'tx, Entity>) -> ScopedQuery<'tx, Entity> {
        let events = events
            .filter_some(Column::ActorId, self.actor.map(|actor| actor.0))
            .filter_some(Column::Action, self.action.map(Action::as_str))
            .filter_some(Column::Resource, self.resource.clone())
            .filter_some(Column::ResourceId, self.resource_id.clone())
            .filter_some(Column::Outcome, self.outcome.map(Outcome::as_str));
        let since = self.from.map(|from| Column::OccurredAt.gte(from));
        let until = self.to.map(|to| Column::OccurredAt.lt(to));
        let events = events.filter(Condition::all().add_option(since).add_option(until));
        match &self.ip {
            Some(ip) => events.where_in::<PersonalEntity>(
                Column::Id,
                PersonalColumn::Id,
                PersonalColumn::Ip.eq(ip.as_str()),
            ),
            None => events,
        }
    }
}

/// One page of the log.
///
/// # Errors
/// Whatever the database refuses.
pub async fn list<P: RequiredPermission>(
    tx: &OrgTx<P>,
    filter: &EventFilter,
    listing: PageRequest<EventKey>,
) -> Result<Page<EventRecord>> {
    let page = filter.narrow(tx.find::<Entity>()).page(listing).await?;
    Ok(Page { data: with_personal(tx, page.data).await?, next: page.next })
}

/// One event.
///
/// # Errors
/// `NotFound`, also when it is in another log.
pub async fn get(tx: &OrgTx<AuditRead>, id: EventId) -> Result<EventRecord> {
    let event = tx.find::<Entity>().filter(Column::Id.eq(id)).one().await?;
    let personal = tx.find::<PersonalEntity>().filter(PersonalColumn::Id.eq(id)).all().await?;
    Ok(EventRecord { event, personal: personal.into_iter().next() })
}

/// The events with what is personal of them. By one more query, which is asked of those without, too: nothing is to be
/// shown beside them that was not sealed with them.
pub(crate) async fn with_personal<P: RequiredPermission>(
    tx: &OrgTx<P>,
    events: Vec<Event>,
) -> Result<Vec<EventRecord>> {
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    if ids.is_empty() {
        return Ok(joined(events, Vec::new()));
    }
    let personal = tx.find::<PersonalEntity>().filter(PersonalColumn::Id.is_in(ids)).all().await?;
    Ok(joined(events, personal))
}

pub(super) fn joined(events: Vec<Event>, personal: Vec<Personal>) -> Vec<EventRecord> {
    let mut personal: HashMap<_, _> = personal.into_iter().map(|personal| (personal.id, personal)).collect();
    let told = |event: Event| EventRecord { personal: personal.remove(&event.id), event };
    events.into_iter().map(told).collect()
}

/// Proof for the log of what belongs to no organization: for operators of the platform, which the caller has seen to.
pub fn of_the_platform(origin: AuditOrigin) -> Authorized<PlatformRead> {
    Authorized::<PlatformRead>::platform_read(origin)
}

/// Begins to look into the log that `proof` is for.
///
/// # Errors
/// `Unavailable` when no connection is free in time.
pub async fn begin_read<P: RequiredPermission>(db: &Db, proof: &Authorized<P>) -> Result<OrgTx<P>> {
    db.begin_read(proof).await
}
