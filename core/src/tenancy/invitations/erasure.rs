//! How the invitations for somebody's address are forgotten with him.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ColumnTrait, FromQueryResult, sea_query::Query};

use super::{Column, Entity, invitation_roles};
use crate::{
    Result,
    base::ids::{InvitationId, OrgId},
    identity::one_time_tokens,
    storage::db::GlobalTx,
};

#[derive(FromQueryResult)]
struct Found {
    organization_id: OrgId,
    id: InvitationId,
}

/// The organizations that have invited this canonical address.
pub(crate) async fn inviting(tx: &GlobalTx, email: &str) -> Result<BTreeSet<OrgId>> {
    Ok(of_address(tx, email).await?.into_iter().map(|found| found.organization_id).collect())
}

async fn of_address(tx: &GlobalTx, email: &str) -> Result<Vec<Found>> {
    let mut query = Query::select();
    query
        .columns([Column::OrganizationId, Column::Id])
        .from(Entity)
        .and_where(Column::EmailCanonical.eq(email));
    #[expect(clippy::disallowed_methods, reason = "finds who invited a person that is forgotten")]
    tx.query_across_orgs(&query).await
}

/// Removes every invitation for this canonical address, with its tokens: it says who he was. The organizations that have
/// invited it are locked.
pub(crate) async fn erase(tx: &GlobalTx, email: &str) -> Result<()> {
    let mut invitations = BTreeMap::<_, Vec<_>>::new();
    for Found { organization_id, id } in of_address(tx, email).await? {
        invitations.entry(organization_id).or_default().push(id);
    }
    for (org, ids) in invitations {
        #[expect(
            clippy::disallowed_methods,
            reason = "who is forgotten is forgotten wherever he was invited"
        )]
        let scope = tx.enter_org(org).await?;
        scope
            .delete_in_chunks::<invitation_roles::Entity>(
                invitation_roles::Column::InvitationId,
                ids.iter().copied(),
            )
            .await?;
        scope.delete_in_chunks::<Entity>(Column::Id, ids).await?;
    }
    let mailed = one_time_tokens::Column::EmailCanonical.eq(email);
    tx.delete::<one_time_tokens::Entity>(mailed).await.map(drop)
}
