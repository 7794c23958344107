//! The audit events that users see about themselves.

use sea_orm::{ColumnTrait, Condition};
use serde_json::Value;

use super::{
    Action, Column, Event, EventRecord, PersonalColumn, PersonalData, PersonalEntity,
    list::{EventKey, join_personal},
};
use crate::{
    Result,
    base::{
        ids::{OrgId, UserId},
        pagination::{Page, PageRequest},
    },
    storage::db::Unscoped,
};

/// The facts of a refusal that are shown to the user who was refused. The user knew each of them before, so none
/// reveals whether an organization exists.
const VISIBLE_FACTS: [&str; 4] = ["code", "operation", "permission", "repeated"];

/// Failed logins to the account of the user.
pub(super) fn failed_logins_of(user: UserId) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(OrgId::PLATFORM))
        .add(Column::ResourceId.eq(user.to_string()))
        .add(Column::Action.eq(Action::SessionRefused.as_str()))
}

/// One page of what the user did in `organizations` and outside of organizations, and of failed logins to their
/// account. Of the platform's log they only see what they knew already.
pub(crate) async fn activity(
    tx: &Unscoped,
    user: UserId,
    organizations: Vec<OrgId>,
    request: PageRequest<EventKey>,
) -> Result<Page<EventRecord>> {
    let by_user = Condition::all()
        .add(Column::ActorId.eq(user.0))
        .add(Column::OrganizationId.is_in(organizations.into_iter().chain([OrgId::PLATFORM])));
    let page = tx.page(Condition::any().add(by_user).add(failed_logins_of(user)), request).await?;
    let ids: Vec<_> = page.data.iter().map(|event| event.id).collect();
    let found: Vec<PersonalData> = tx.all::<PersonalEntity>(PersonalColumn::Id.is_in(ids)).await?;
    let events = page.data.into_iter().map(visible_to_user).collect();
    Ok(Page { data: join_personal(events, found), next: page.next })
}

/// The event as shown to the user. Hashes of the platform's log are left out: a hash covers facts that are not shown,
/// so it would confirm a guess about them.
fn visible_to_user(event: Event) -> Event {
    if event.organization_id != OrgId::PLATFORM {
        return event;
    }
    let details = match event.action == Action::AccessDenied.as_str() {
        true => visible_facts(&event.details),
        false => event.details,
    };
    Event { details, seq: None, prev_hash: None, hash: None, personal_hash: None, ..event }
}

/// The details of a refusal, without the facts for superusers only.
fn visible_facts(details: &str) -> String {
    let mut details: Value = serde_json::from_str(details).unwrap_or_default();
    for facts in details.as_object_mut().into_iter().flat_map(|parts| parts.values_mut()) {
        if let Some(facts) = facts.as_object_mut() {
            facts.retain(|name, _| VISIBLE_FACTS.contains(&name.as_str()));
        }
    }
    details.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_facts_of_a_refusal_are_shown() {
        let existing = r#"{"after":{"code":"NOT_FOUND","operation":"x","organization":"0190b3a0","new":1}}"#;
        let missing = r#"{"after":{"code":"NOT_FOUND","operation":"x"}}"#;
        assert_eq!(visible_facts(existing), missing);
        assert_eq!(visible_facts(missing), missing);
        assert_eq!(visible_facts("nonsense"), "null");
    }
}
