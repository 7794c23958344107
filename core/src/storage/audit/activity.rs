//! What a person is shown of their own events.

use sea_orm::{ColumnTrait, Condition};
use serde_json::Value;

use super::{
    Action, Column, Event, EventRecord, Personal, PersonalColumn, PersonalEntity,
    list::{EventKey, joined},
};
use crate::{
    Result,
    base::{
        ids::{OrgId, UserId},
        pagination::{Page, PageRequest},
    },
    storage::db::Unscoped,
};

/// The facts of a refusal that are shown to the person who was refused. They knew each of them before, so none says
/// whether there is an organization that they asked for.
const SHOWN: [&str; 4] = ["code", "operation", "permission", "repeated"];

/// What others tried with the account of a person: log-ins that failed.
pub(super) fn tried_with(user: UserId) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(OrgId::PLATFORM))
        .add(Column::ResourceId.eq(user.to_string()))
        .add(Column::Action.eq(Action::SessionRefused.as_str()))
}

/// One page of what a person did in the organizations named and outside of all, and of what was tried with their account.
/// Of the platform's log they see what they knew already.
pub(crate) async fn activity(
    tx: &Unscoped,
    user: UserId,
    organizations: Vec<OrgId>,
    listing: PageRequest<EventKey>,
) -> Result<Page<EventRecord>> {
    let did = Condition::all()
        .add(Column::ActorId.eq(user.0))
        .add(Column::OrganizationId.is_in(organizations.into_iter().chain([OrgId::PLATFORM])));
    let page = tx.page(Condition::any().add(did).add(tried_with(user)), listing).await?;
    let ids: Vec<_> = page.data.iter().map(|event| event.id).collect();
    let found: Vec<Personal> = tx.all::<PersonalEntity>(PersonalColumn::Id.is_in(ids)).await?;
    let events = page.data.into_iter().map(shown).collect();
    Ok(Page { data: joined(events, found), next: page.next })
}

/// An event as the person sees it who did it. Of the platform's log the chain is left out: a hash covers the facts that are
/// not shown, so it would confirm a guess at them.
fn shown(event: Event) -> Event {
    if event.organization_id != OrgId::PLATFORM {
        return event;
    }
    let details = match event.action == Action::AccessDenied.as_str() {
        true => facts_shown(&event.details),
        false => event.details,
    };
    Event { details, seq: None, prev_hash: None, hash: None, personal_hash: None, ..event }
}

/// The details of a refusal, without the facts that are for operators alone.
fn facts_shown(details: &str) -> String {
    let mut details: Value = serde_json::from_str(details).unwrap_or_default();
    for facts in details.as_object_mut().into_iter().flat_map(|parts| parts.values_mut()) {
        if let Some(facts) = facts.as_object_mut() {
            facts.retain(|name, _| SHOWN.contains(&name.as_str()));
        }
    }
    details.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_refusal_only_what_was_known_before_is_shown() {
        let there = r#"{"after":{"code":"NOT_FOUND","operation":"x","organization":"0190b3a0","new":1}}"#;
        let not_there = r#"{"after":{"code":"NOT_FOUND","operation":"x"}}"#;
        assert_eq!(facts_shown(there), not_there);
        assert_eq!(facts_shown(not_there), not_there);
        assert_eq!(facts_shown("nonsense"), "null");
    }
}
