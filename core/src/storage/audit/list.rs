//! Reads an audit log.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition};

use super::{Action, AuditOutcome, Column, Entity, Event, PersonalColumn, PersonalData, PersonalEntity};
use crate::{
    Result,
    base::{
        ids::{EventId, UserId},
        pagination::{Page, PageRequest},
        permissions::{AuditOrigin, AuditRead, Authorized, PlatformRead, RequiredPermission},
    },
    storage::db::{Db, OrgTx, ScopedQuery, SortKey},
};

/// A filter of events. `None` accepts all values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only events that this user caused.
    pub actor: Option<UserId>,
    /// Only events with one of these actions.
    pub actions: Option<Vec<Action>>,
    /// Only events about this type of resource.
    pub resource: Option<String>,
    /// Only events about the resource with this id.
    pub resource_id: Option<String>,
    /// Only events from this IP address.
    pub ip: Option<String>,
    /// Only events with this outcome.
    pub outcome: Option<AuditOutcome>,
    /// Only events at or after this instant.
    pub from: Option<DateTime<Utc>>,
    /// Only events before this instant.
    pub to: Option<DateTime<Utc>>,
    /// Only sealed events with this sequence number or a higher one.
    pub seq_from: Option<i64>,
    /// Only sealed events with this sequence number or a lower one.
    pub seq_to: Option<i64>,
    /// Only events of the request with this id.
    pub request_id: Option<String>,
}

/// The sort keys of a log.
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

/// An event with its personal data; `None` if there was none or it was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// The event itself.
    pub event: Event,
    /// Its personal data.
    pub personal: Option<PersonalData>,
}

impl EventFilter {
    /// Does the filter accept all events?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the filter to a query.
    pub(crate) fn narrow<'tx>(&self, events: ScopedQuery<'tx, Entity>) -> ScopedQuery<'tx, Entity> {
        let events = events
            .filter_some(Column::ActorId, self.actor.map(|actor| actor.0))
            .filter_some(Column::Resource, self.resource.clone())
            .filter_some(Column::ResourceId, self.resource_id.clone())
            .filter_some(Column::Outcome, self.outcome.map(AuditOutcome::as_str))
            .filter_some(Column::RequestId, self.request_id.clone());
        let names = |actions: &Vec<Action>| actions.iter().map(|action| action.as_str()).collect::<Vec<_>>();
        let condition = Condition::all()
            .add_option(self.actions.as_ref().map(|actions| Column::Action.is_in(names(actions))))
            .add_option(self.from.map(|from| Column::OccurredAt.gte(from)))
            .add_option(self.to.map(|to| Column::OccurredAt.lt(to)))
            .add_option(self.seq_from.map(|seq| Column::Seq.gte(seq)))
            .add_option(self.seq_to.map(|seq| Column::Seq.lte(seq)));
        let events = events.filter(condition);
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
/// Database errors.
pub async fn list<P: RequiredPermission>(
    tx: &OrgTx<P>,
    filter: &EventFilter,
    request: PageRequest<EventKey>,
) -> Result<Page<EventRecord>> {
    let page = filter.narrow(tx.find::<Entity>()).page(request).await?;
    Ok(Page { data: with_personal(tx, page.data).await?, next: page.next })
}

/// One event.
///
/// # Errors
/// `NotFound`, also for an event of another log.
pub async fn get(tx: &OrgTx<AuditRead>, id: EventId) -> Result<EventRecord> {
    let event = tx.find::<Entity>().filter(Column::Id.eq(id)).one().await?;
    let personal = tx.find::<PersonalEntity>().filter(PersonalColumn::Id.eq(id)).all().await?;
    Ok(EventRecord { event, personal: personal.into_iter().next() })
}

/// The events with their personal data. It also queries events without personal data, so that rows which were added
/// later but not sealed with an event are found.
pub(crate) async fn with_personal<P: RequiredPermission>(
    tx: &OrgTx<P>,
    events: Vec<Event>,
) -> Result<Vec<EventRecord>> {
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    if ids.is_empty() {
        return Ok(join_personal(events, Vec::new()));
    }
    let personal = tx.find::<PersonalEntity>().filter(PersonalColumn::Id.is_in(ids)).all().await?;
    Ok(join_personal(events, personal))
}

pub(super) fn join_personal(events: Vec<Event>, personal: Vec<PersonalData>) -> Vec<EventRecord> {
    let mut personal: HashMap<_, _> = personal.into_iter().map(|personal| (personal.id, personal)).collect();
    let record = |event: Event| EventRecord { personal: personal.remove(&event.id), event };
    events.into_iter().map(record).collect()
}

/// A proof for the platform's log. The caller must have checked that the actor is a superuser.
pub fn platform_log(origin: AuditOrigin) -> Authorized<PlatformRead> {
    Authorized::<PlatformRead>::platform_read(origin)
}

/// Begins to read the log that `proof` is for.
///
/// # Errors
/// `Unavailable` if no connection is free in time.
pub async fn begin_read<P: RequiredPermission>(db: &Db, proof: &Authorized<P>) -> Result<OrgTx<P>> {
    db.begin_read(proof).await
}
