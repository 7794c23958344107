//! Erasure of the invitations to the e-mail address of a purged user.

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
struct InvitationRow {
    organization_id: OrgId,
    id: InvitationId,
}

/// Returns the organizations that have invited this canonical e-mail address.
pub(crate) async fn organizations_inviting(tx: &GlobalTx, email: &str) -> Result<BTreeSet<OrgId>> {
    Ok(find_by_email(tx, email).await?.into_iter().map(|row| row.organization_id).collect())
}

async fn find_by_email(tx: &GlobalTx, email: &str) -> Result<Vec<InvitationRow>> {
    let mut query = Query::select();
    query
        .columns([Column::OrganizationId, Column::Id])
        .from(Entity)
        .and_where(Column::EmailCanonical.eq(email));
    #[expect(clippy::disallowed_methods, reason = "finds the organizations that invited a purged user")]
    tx.query_across_orgs(&query).await
}

/// Deletes every invitation to this canonical e-mail address with its tokens, because they identify the user. The
/// organizations that have invited it must be locked.
pub(crate) async fn erase(tx: &GlobalTx, email: &str) -> Result<()> {
    let mut invitations = BTreeMap::<_, Vec<_>>::new();
    for InvitationRow { organization_id, id } in find_by_email(tx, email).await? {
        invitations.entry(organization_id).or_default().push(id);
    }
    for (org, ids) in invitations {
        #[expect(clippy::disallowed_methods, reason = "a purge erases the invitations of every organization")]
        let scope = tx.enter_org(org).await?;
        scope
            .delete_in_chunks::<invitation_roles::Entity>(
                invitation_roles::Column::InvitationId,
                ids.iter().copied(),
            )
            .await?;
        scope.delete_in_chunks::<Entity>(Column::Id, ids).await?;
    }
    let tokens = one_time_tokens::Column::EmailCanonical.eq(email);
    tx.delete::<one_time_tokens::Entity>(tokens).await.map(drop)
}
