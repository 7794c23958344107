//! Erases the personal data of a user from audit events. The events and their chain stay.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, Condition, FromQueryResult, sea_query::Query};

use super::{Column, Entity, PersonalColumn, PersonalEntity, activity::failed_logins_of};
use crate::{
    Result,
    base::ids::{EventId, OrgId, UserId},
    storage::db::GlobalTx,
};

#[derive(FromQueryResult)]
struct EventRef {
    organization_id: OrgId,
    id: EventId,
}

/// Erases the personal data of all events that the user caused, and of failed logins to their account, in every log. It
/// leaves the organization that was entered before.
///
/// # Errors
/// Database errors.
pub(crate) async fn erase(tx: &GlobalTx, user: UserId) -> Result<()> {
    let condition = Condition::any().add(Column::ActorId.eq(user.0)).add(failed_logins_of(user));
    let mut query = Query::select();
    query.columns([Column::OrganizationId, Column::Id]).from(Entity).cond_where(condition);
    #[expect(clippy::disallowed_methods, reason = "finds the logs with personal data of the user")]
    let found: Vec<EventRef> = tx.query_across_orgs(&query).await?;
    let mut logs: BTreeMap<OrgId, Vec<EventId>> = BTreeMap::new();
    for EventRef { organization_id, id } in found {
        logs.entry(organization_id).or_default().push(id);
    }
    for (org, events) in logs {
        #[expect(clippy::disallowed_methods, reason = "personal data is erased in every log")]
        let scope = tx.enter_org(org).await?;
        scope.delete_in_chunks::<PersonalEntity>(PersonalColumn::Id, events).await?;
    }
    Ok(())
}
