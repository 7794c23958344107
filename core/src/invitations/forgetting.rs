//! How the invitations for somebody's address are forgotten with him.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, FromQueryResult, sea_query::Query};

use super::{Column, Entity, given};
use crate::{
    Result,
    db::Tx,
    ids::{InvitationId, OrgId},
    one_time_tokens,
};

#[derive(FromQueryResult)]
struct Found {
    organization_id: OrgId,
    id: InvitationId,
}

/// Removes every invitation for this canonical address, with its tokens: it says who he was.
pub(crate) async fn forget(tx: &Tx, email: &str) -> Result<()> {
    let mut query = Query::select();
    query
        .columns([Column::OrganizationId, Column::Id])
        .from(Entity)
        .and_where(Column::EmailCanonical.eq(email));
    #[expect(clippy::disallowed_methods, reason = "finds who invited a person that is forgotten")]
    let found: Vec<Found> = tx.across(&query).await?;
    let mut invitations = BTreeMap::<_, Vec<_>>::new();
    for Found { organization_id, id } in found {
        invitations.entry(organization_id).or_default().push(id);
    }
    for (org, ids) in invitations {
        #[expect(
            clippy::disallowed_methods,
            reason = "who is forgotten is forgotten wherever he was invited"
        )]
        let scope = tx.enter(org).await?;
        scope.delete::<given::Entity>(given::Column::InvitationId.is_in(ids.iter().copied())).await?;
        scope.delete::<Entity>(Column::Id.is_in(ids)).await?;
    }
    let mailed = one_time_tokens::Column::EmailCanonical.eq(email);
    tx.delete::<one_time_tokens::Entity>(mailed).await.map(drop)
}
