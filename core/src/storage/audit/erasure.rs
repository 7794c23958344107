//! Forgetting a person: what is personal of the events he is in goes, the events and their chain stay.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, Condition, FromQueryResult, sea_query::Query};

use super::{Column, Entity, PersonalColumn, PersonalEntity, activity::tried_with};
use crate::{
    Result,
    base::ids::{EventId, OrgId, UserId},
    storage::db::GlobalTx,
};

#[derive(FromQueryResult)]
struct Found {
    organization_id: OrgId,
    id: EventId,
}

/// Erases what is personal of every event of what the person did, and of what was tried with his account, in every log.
/// Leaves whatever organization was entered before.
///
/// # Errors
/// Whatever the database refuses.
pub(crate) async fn erase(tx: &GlobalTx, user: UserId) -> Result<()> {
    let condition = Condition::any().add(Column::ActorId.eq(user.0)).add(tried_with(user));
    let mut query = Query::select();
    query.columns([Column::OrganizationId, Column::Id]).from(Entity).cond_where(condition);
    #[expect(clippy::disallowed_methods, reason = "finds the logs that a person who is forgotten is in")]
    let found: Vec<Found> = tx.query_across_orgs(&query).await?;
    let mut logs: BTreeMap<OrgId, Vec<EventId>> = BTreeMap::new();
    for Found { organization_id, id } in found {
        logs.entry(organization_id).or_default().push(id);
    }
    for (org, events) in logs {
        #[expect(clippy::disallowed_methods, reason = "whoever is forgotten is forgotten everywhere")]
        let scope = tx.enter_org(org).await?;
        scope.delete_in_chunks::<PersonalEntity>(PersonalColumn::Id, events).await?;
    }
    Ok(())
}
